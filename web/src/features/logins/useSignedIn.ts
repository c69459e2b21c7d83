import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { access } from "../../app/access.ts";

/** Who is signed in already has no use for this page: they are led on. Another account first needs the old one to sign out. */
export function useSignedIn(next: string): void {
  const navigate = useNavigate();
  useEffect(() => {
    let gone = false;
    access.tokens.current().then(
      () => {
        if (!gone) void navigate({ to: next, replace: true });
      },
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [navigate, next]);
}

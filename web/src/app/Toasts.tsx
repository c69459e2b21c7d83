import { useEffect } from "react";
import { dropToast, useView } from "./view.ts";

const TOAST_MS = 6_000;

/** One line at the bottom start, for six seconds. */
export function Toasts() {
  const { toast } = useView();
  useEffect(() => {
    if (!toast) return;
    const timer = setTimeout(() => dropToast(toast.key), TOAST_MS);
    return () => clearTimeout(timer);
  }, [toast]);
  return (
    <div className="toasts" role="status" data-nx-part="toasts">
      {toast ? (
        <div className="toast" key={toast.key}>
          {toast.text}
        </div>
      ) : null}
    </div>
  );
}

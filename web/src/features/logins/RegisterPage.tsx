import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { access } from "../../app/access.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { CredentialsForm } from "./CredentialsForm.tsx";
import { EntryLayout } from "./EntryLayout.tsx";
import { useInstance } from "./useInstance.ts";
import { useSignedIn } from "./useSignedIn.ts";

export function RegisterPage() {
  const { t } = useTranslation();
  const { next } = useSearch({ from: "/register" });
  const navigate = useNavigate();
  const instance = useInstance();
  useSignedIn(next ?? "/");
  const closed = instance?.registration === "closed";
  const name = instance?.name ?? "Nexus";
  return (
    <EntryLayout title={t("entry.registerTitle")} lead={closed ? t("entry.registrationClosed") : t("entry.registerLead", { name })}>
      {closed ? null : (
        <CredentialsForm
          purpose="new"
          submit={t("entry.register")}
          onSubmit={async (credentials) => {
            await access.rest.register(credentials);
            await navigate({ to: next ?? "/", replace: true });
          }}
        />
      )}
      <p className="text-ink-3">
        {t("entry.haveAccount")}{" "}
        <Link to="/login" search={next ? { next } : {}} className="link-button">
          {t("entry.login")}
        </Link>
      </p>
    </EntryLayout>
  );
}

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { access } from "../../app/access.ts";
import { lastPath } from "../../app/lastPlace.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { CredentialsForm } from "./CredentialsForm.tsx";
import { EntryLayout } from "./EntryLayout.tsx";
import { useInstance } from "./useInstance.ts";
import { useSignedIn } from "./useSignedIn.ts";

export function LoginPage() {
  const { t } = useTranslation();
  const { next } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const instance = useInstance();
  const place = next ?? lastPath() ?? "/";
  useSignedIn(place);
  return (
    <EntryLayout title={t("entry.loginTitle")} lead={t("entry.loginLead", { name: instance?.name ?? "Nexus" })}>
      <CredentialsForm
        purpose="known"
        submit={t("entry.login")}
        onSubmit={async (credentials) => {
          await access.rest.login(credentials);
          await navigate({ to: place, replace: true });
        }}
      />
      {instance?.setup_required ? <p className="text-ink-2">{t("entry.setupNeeded")}</p> : null}
      {instance?.registration === "closed" ? (
        <p className="text-ink-3">{t("entry.registrationClosed")}</p>
      ) : (
        <p className="text-ink-3">
          {t("entry.noAccount")}{" "}
          <Link to="/register" search={next ? { next } : {}} className="link-button">
            {t("entry.register")}
          </Link>
        </p>
      )}
      <Link to="/audit" className="text-ink-3">
        {t("entry.audit")}
      </Link>
    </EntryLayout>
  );
}

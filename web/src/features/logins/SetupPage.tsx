import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { access } from "../../app/access.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { CredentialsForm } from "./CredentialsForm.tsx";
import { EntryLayout } from "./EntryLayout.tsx";

/** The first administrator. The token stands in the fragment, which browsers send to nobody. */
export function SetupPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [token] = useState(() => location.hash.slice(1));
  return (
    <EntryLayout title={t("entry.setupTitle")} lead={token ? t("entry.setupLead") : t("entry.setupNoToken")}>
      {token ? (
        <CredentialsForm
          purpose="new"
          submit={t("entry.setup")}
          onSubmit={async (credentials) => {
            await access.rest.setup({ token, ...credentials });
            await navigate({ to: "/", replace: true });
          }}
        />
      ) : null}
    </EntryLayout>
  );
}

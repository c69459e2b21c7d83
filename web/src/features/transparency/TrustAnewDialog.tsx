import { useTranslation } from "../../i18n/useTranslation.ts";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";
import type { AuditHandle } from "./useAudit.ts";

/** Asks before this browser forgets what it saw of the log: after that, nothing can contradict it. */
export function TrustAnewDialog({ audit, onClose }: { readonly audit: AuditHandle; readonly onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <ConfirmDialog
      title={t("audit.fault.trustTitle")}
      lead={t("audit.fault.trustLead")}
      keep={t("audit.fault.keep")}
      act={t("audit.fault.trustAct")}
      onAct={async () => {
        onClose();
        audit.trustAnew();
      }}
      onClose={onClose}
    />
  );
}

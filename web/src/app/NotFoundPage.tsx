import { Link } from "@tanstack/react-router";
import { useTranslation } from "../i18n/useTranslation.ts";
import { Notice } from "../ui/Notice.tsx";

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <div className="entry">
      <main className="sheet">
        <Notice page title={t("refused.title")} lead={t("refused.lead")}>
          <Link to="/" className="button" data-tone="main">
            {t("action.goHome")}
          </Link>
        </Notice>
      </main>
    </div>
  );
}

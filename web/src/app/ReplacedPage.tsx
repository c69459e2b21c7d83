import { useTranslation } from "../i18n/useTranslation.ts";
import { Button } from "../ui/Button.tsx";
import { Notice } from "../ui/Notice.tsx";

/** All that is left of this tab after somebody signed in with another account in a second one: tabs share one login. */
export function ReplacedPage({ name }: { readonly name: string }) {
  const { t } = useTranslation();
  return (
    <div className="entry">
      <main className="sheet">
        <Notice page title={t("replaced.title", { name })} lead={t("replaced.lead")}>
          <Button tone="main" onClick={() => location.assign("/")}>
            {t("replaced.go", { name })}
          </Button>
        </Notice>
      </main>
    </div>
  );
}

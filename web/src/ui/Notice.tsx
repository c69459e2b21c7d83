import { useTranslation } from "../i18n/useTranslation.ts";
import { Button } from "./Button.tsx";

export interface NoticeProps {
  readonly title: string;
  readonly lead: string;
  /** It is all the page has to say, so its title is the page's. */
  readonly page?: boolean;
  readonly children?: React.ReactNode;
}

/** A page or a pane that says in words what is missing. */
export function Notice({ title, lead, page = false, children }: NoticeProps) {
  const Title = page ? "h1" : "h2";
  return (
    <section className="empty" data-nx-part="notice">
      <Title>{title}</Title>
      <p>{lead}</p>
      <div className="flex flex-wrap gap-2">{children}</div>
    </section>
  );
}

/** Shown when drawing a page threw. */
export function CrashPage() {
  const { t } = useTranslation();
  return (
    <div className="entry">
      <main className="sheet">
        <Notice page title={t("refused.crashTitle")} lead={t("refused.crashLead")}>
          <Button tone="main" onClick={() => location.reload()}>
            {t("refused.reload")}
          </Button>
        </Notice>
      </main>
    </div>
  );
}

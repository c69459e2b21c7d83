import "../../i18n/addTransparencyWords.ts";
import "./transparency.css";
import { Link } from "@tanstack/react-router";
import { type LucideIcon, ScanSearch, SlidersHorizontal, SunMoon } from "lucide-react";
import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { toggleTheme } from "../../look/preferences.ts";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { Logo } from "../../ui/Logo.tsx";
import { ToolRail } from "../../ui/ToolRail.tsx";

export interface Section {
  /** Also the id of its element. */
  readonly id: string;
  readonly label: string;
  readonly icon: LucideIcon;
  readonly end?: ReactNode;
}

export interface ToolFrameProps {
  readonly page: "audit" | "admin";
  readonly title: string;
  readonly sections: readonly Section[];
  readonly children: ReactNode;
}

/** The window of a page about the server itself. It works for anybody, so it starts no client. */
export function ToolFrame({ page, title, sections, children }: ToolFrameProps) {
  const { t } = useTranslation();
  return (
    <Tooltip.Provider delayDuration={500} skipDelayDuration={200}>
      <div className="frame tool" data-people="closed" data-level="conversation">
        <ToolRail />
        <aside className="list" aria-label={t("tools.sections")}>
          <div className="bar">
            <b className="guild-name">{title}</b>
          </div>
          <nav className="scroll" aria-label={t("tools.onThisPage")}>
            {sections.map((section) => (
              <a key={section.id} href={`#${section.id}`} className="row" onClick={(event) => jump(event, section.id)}>
                <Icon of={section.icon} />
                <span className="cut">{section.label}</span>
                {section.end === undefined ? null : <span className="end num">{section.end}</span>}
              </a>
            ))}
          </nav>
        </aside>
        <main className="sheet" data-nx-part={page}>
          <header className="bar only-narrow tool-top">
            <Link to="/" className="icon-button" aria-label={t("tools.home")}>
              <Logo />
            </Link>
            <b className="text-md">{title}</b>
            <span className="flex-1" />
            {page === "audit" ? (
              <Link to="/admin" className="icon-button" aria-label={t("tools.admin")}>
                <Icon of={SlidersHorizontal} size="lg" />
              </Link>
            ) : (
              <Link to="/audit" className="icon-button" aria-label={t("tools.audit")}>
                <Icon of={ScanSearch} size="lg" />
              </Link>
            )}
            <IconButton icon={SunMoon} label={t("tools.theme")} onClick={toggleTheme} />
          </header>
          <div className="tool-scroll">
            <div className="tool-page">{children}</div>
          </div>
        </main>
      </div>
    </Tooltip.Provider>
  );
}

/** Within the page, without a change of address: the router keeps those. */
function jump(event: React.MouseEvent, id: string): void {
  event.preventDefault();
  const section = document.getElementById(id);
  section?.scrollIntoView({ block: "start" });
  section?.querySelector<HTMLElement>("h1, h2")?.focus({ preventScroll: true });
}

export interface PartProps {
  readonly id: string;
  readonly title: string;
  readonly lead?: ReactNode;
  /** Stands at the end of the heading's line. */
  readonly tools?: ReactNode;
  readonly children: ReactNode;
}

/** One section of such a page. */
export function Part({ id, title, lead, tools, children }: PartProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <div className="part-head">
        <h2 id={`${id}-title`} tabIndex={-1}>
          {title}
        </h2>
        {lead ? <p>{lead}</p> : null}
        {tools ? <div className="tools">{tools}</div> : null}
      </div>
      {children}
    </section>
  );
}

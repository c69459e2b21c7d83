import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Box, ChevronLeft, LogOut, Search } from "lucide-react";
import { Tooltip } from "radix-ui";
import { type ReactNode, useEffect } from "react";
import { NARROW, useMedia } from "../../app/useMedia.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { ToolRail } from "../../ui/ToolRail.tsx";
import { DeadPart } from "./DeadPart.tsx";
import { number } from "./formats.ts";
import { ICONS, PARTS, type PartName, partOf } from "./parts.ts";
import { ReactorsPart } from "./ReactorsPart.tsx";
import { useResource } from "./resource.ts";
import { SourcesPart } from "./SourcesPart.tsx";
import { StreamsPart } from "./StreamsPart.tsx";
import { useHub } from "./session.tsx";
import type { Stats } from "./shapes.ts";
import { FIND_BOX, TailPart } from "./TailPart.tsx";
import { TypesPart } from "./TypesPart.tsx";
import { WebhooksPart } from "./WebhooksPart.tsx";

/** How often the figures are read. */
export const STATS_MS = 5_000;

const SHOWN: Readonly<Record<PartName, (props: TopProps) => ReactNode>> = {
  tail: TailPart,
  types: TypesPart,
  reactors: ReactorsPart,
  dead: DeadPart,
  streams: StreamsPart,
  webhooks: WebhooksPart,
  sources: SourcesPart,
};

export interface TopProps {
  /** Asks anew who looks: the login or the token has ended. */
  readonly onAskAgain: () => void;
}

export interface HubFrameProps extends TopProps {
  /** The administrator's name, or nothing for the holder of a token. */
  readonly name: string | null;
  /** Forgets the token. */
  readonly onLeave: (() => void) | null;
}

/** The window of the hub: rail, list of parts, and one of them on the sheet. */
export function HubFrame({ name, onLeave, onAskAgain }: HubFrameProps) {
  const { part } = useSearch({ from: "/hub" });
  const shown = partOf(part);
  const Shown = SHOWN[shown];
  // On a phone the list of parts is a page of its own.
  const isList = useMedia(NARROW) && part === undefined;
  useFindKey();
  return (
    <Tooltip.Provider delayDuration={500} skipDelayDuration={200}>
      <div className="frame tool" data-people="closed" data-level={part === undefined ? "list" : "conversation"}>
        <ToolRail alone={name === null} />
        <Parts shown={shown} isPage={isList} name={name} onLeave={onLeave} />
        {isList ? null : (
          <main className="sheet hub" data-nx-part="hub">
            <Shown key={shown} onAskAgain={onAskAgain} />
          </main>
        )}
      </div>
    </Tooltip.Provider>
  );
}

interface PartsProps extends Pick<HubFrameProps, "name" | "onLeave"> {
  readonly shown: PartName;
  readonly isPage: boolean;
}

function Parts({ shown, isPage, name, onLeave }: PartsProps) {
  const { t } = useTranslation();
  const navigate = useNavigate({ from: "/hub" });
  const { find } = useSearch({ from: "/hub" });
  const { value: stats } = useResource(useHub().stats, STATS_MS);
  const Place = isPage ? "main" : "aside";
  const Title = isPage ? "h1" : "b";
  return (
    <Place className="list" aria-label={t("tools.sections")}>
      <div className="bar">
        <Title className="guild-name">{t("hub.title")}</Title>
      </div>
      <button type="button" className="jump" onClick={() => void navigate({ search: { part: "tail" } }).then(focusFind)}>
        <Icon of={Search} />
        {t("hub.find")}
        <kbd className="kbd">/</kbd>
      </button>
      <nav className="scroll" aria-label={t("hub.title")}>
        {PARTS.map((part) => (
          <Link
            key={part}
            to="/hub"
            search={{ part }}
            className="row"
            data-unread={part === "dead" && (stats?.dead_letters ?? 0) > 0}
            aria-current={!isPage && part === shown && !(part === "tail" && find) ? "page" : undefined}
          >
            <Icon of={ICONS[part]} />
            <span className="cut">{t(`hub.parts.${part}`)}</span>
            <span className="end num">{stats ? countOf(part, stats) : null}</span>
          </Link>
        ))}
        {stats && stats.namespaces.length > 0 ? (
          <>
            <h2 className="section-head mt-3">{t("hub.namespaces")}</h2>
            {stats.namespaces.map(({ namespace, events }) => (
              <Link
                key={namespace}
                to="/hub"
                search={{ part: "tail", find: `${namespace}:*` }}
                className="row"
                aria-current={shown === "tail" && find === `${namespace}:*` ? "page" : undefined}
              >
                <Icon of={Box} />
                <span className="cut">{namespace}</span>
                <span className="end num">{number(events)}</span>
              </Link>
            ))}
          </>
        ) : null}
      </nav>
      <div className="dock">
        <span className="cut flex-1 ps-2">
          <b className="cut">{name ?? t("hub.who.holder")}</b>
          <small>{name === null ? t("hub.who.holderLead") : t("hub.who.administrator")}</small>
        </span>
        {onLeave ? <IconButton icon={LogOut} label={t("hub.who.forget")} tip="top" onClick={onLeave} /> : null}
      </div>
    </Place>
  );
}

function countOf(part: PartName, stats: Stats): ReactNode {
  switch (part) {
    case "reactors":
      return number(stats.reactors);
    case "dead":
      return stats.dead_letters > 0 ? <span className="hub-count">{number(stats.dead_letters)}</span> : null;
    case "streams":
      return number(stats.streams);
    case "webhooks":
      return number(stats.webhooks);
    default:
      return null;
  }
}

function focusFind(): void {
  requestAnimationFrame(() => document.getElementById(FIND_BOX)?.focus());
}

/** `/` leads to the search from anywhere, unless something is being typed. */
function useFindKey(): void {
  const navigate = useNavigate({ from: "/hub" });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, [contenteditable], [role=dialog]")) return;
      event.preventDefault();
      if (document.getElementById(FIND_BOX)) focusFind();
      else void navigate({ search: { part: "tail" } }).then(focusFind);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [navigate]);
}

export interface TopBarProps {
  readonly title: string;
  /** Stands right after the title. */
  readonly beside?: ReactNode;
  readonly children?: ReactNode;
}

/** The line over a part: where it is left on a phone, its name, its tools. */
export function TopBar({ title, beside, children }: TopBarProps) {
  const { t } = useTranslation();
  return (
    <header className="bar">
      <Link to="/hub" className="icon-button only-narrow" aria-label={t("hub.back")}>
        <Icon of={ChevronLeft} size="lg" />
      </Link>
      <h1>{title}</h1>
      {beside}
      <span className="flex-1" />
      {children}
    </header>
  );
}

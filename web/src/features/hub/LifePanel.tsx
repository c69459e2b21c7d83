import { Check, Clock, Ellipsis, Minus, RotateCw, X } from "lucide-react";
import { useEffect, useRef } from "react";
import { NARROW } from "../../app/useMedia.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { Menu, MenuItem } from "../../ui/Menu.tsx";
import { CopyButton, Failed, Payload, Refusal, TypeName } from "./common.tsx";
import { canBePosted, curlOf } from "./curl.ts";
import { Exchange } from "./Exchange.tsx";
import { wants } from "./filters.ts";
import { clockTime, fullMoment, reactorName, span } from "./formats.ts";
import { type Step, stepsOf } from "./life.ts";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import type { HubEvent, Life, Listed } from "./shapes.ts";
import { useDeed } from "./useDeed.ts";
import { useNow } from "./useNow.ts";

/** How often a life is read while something in it waits, and after that. */
const OPEN_MS = 1_000;
const SETTLED_MS = 10_000;
/** How often is asked why something waits. */
const REACTORS_MS = 5_000;
/** Where Enter in the list leads. */
export const LIFE_TITLE = "hub-life-title";

export interface LifePanelProps {
  readonly id: string;
  readonly onClose: () => void;
  readonly onOpen: (id: string) => void;
  readonly onAskAgain: () => void;
}

/** What became of one event, step by step. */
export function LifePanel({ id, onClose, onOpen, onAskAgain }: LifePanelProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const resource = hub.life(id);
  const isOpen = resource.state().value?.jobs.some((job) => job.state === "waiting" || job.state === "running") ?? true;
  const { value, failure } = useResource(resource, isOpen ? OPEN_MS : SETTLED_MS);
  // Its row says already what it is, and mostly how it ended; the attempts follow.
  const row = hub.tail.state().events.find((event) => event.id === id);
  const life = value ?? lifeOf(row);
  const event: HubEvent | undefined = life ?? row;
  const title = useRef<HTMLHeadingElement>(null);
  // On a phone it covers the list, so the reader goes along.
  useEffect(() => {
    if (matchMedia(NARROW).matches) title.current?.focus();
  }, []);

  useEffect(() => {
    const onKey = (key: globalThis.KeyboardEvent) => {
      if (key.key !== "Escape" || key.defaultPrevented) return;
      if ((key.target as HTMLElement).closest("input, textarea, [role=dialog], [role=menu], [role=listbox]")) return;
      onClose();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [onClose]);

  return (
    <aside className="hub-life" aria-label={t("hub.life.label")} data-nx-part="event-life">
      <header>
        <h2 ref={title} tabIndex={-1} id={LIFE_TITLE}>
          {event ? <TypeName of={event.event} /> : t("hub.life.label")}
        </h2>
        <IconButton icon={X} label={t("action.close")} keys="Esc" small onClick={onClose} />
      </header>
      {event ? (
        <p className="num">
          <time dateTime={new Date(event.timestamp).toISOString()} title={fullMoment(event.timestamp)}>
            {clockTime(event.timestamp)}
          </time>
          {life ? `, ${sentence(life, t)}` : null}
        </p>
      ) : null}
      {failure ? <Failed failure={failure} onRetry={() => void resource.refresh()} onAskAgain={onAskAgain} /> : null}
      {life ? <Spine key={`steps ${life.id}`} life={life} isOpen={isOpen} onOpen={onOpen} /> : null}
      {event ? <Payload of={event.payload} label={t("hub.life.payload")} /> : null}
      {value ? <Acts key={`acts ${value.id}`} life={value} /> : null}
    </aside>
  );
}

/** What a row knows of its event's life: all but the attempts. */
function lifeOf(row: Listed | undefined): Life | undefined {
  if (!row?.jobs) return undefined;
  return { ...row, cause: null, hops: 0, external_id: null, jobs: row.jobs.map((job) => ({ ...job, attempts: [] })) };
}

function sentence(life: Life, t: ReturnType<typeof useTranslation>["t"]): string {
  if (life.jobs.length === 0) return t("hub.life.noReactor");
  if (life.jobs.some((job) => job.state === "waiting" || job.state === "running")) return t("hub.life.open");
  const ended = Math.max(...life.jobs.map((job) => job.ended ?? job.created));
  if (life.jobs.some((job) => job.state === "dead")) return t("hub.life.dead");
  return t("hub.life.done", { time: span(Math.max(0, ended - life.timestamp)) });
}

const MARKS = { ok: Check, wait: RotateCw, dead: X, none: Minus, clock: Clock } as const;

interface SpineProps {
  readonly life: Life;
  readonly isOpen: boolean;
  readonly onOpen: (id: string) => void;
}

function Spine({ life, isOpen, onOpen }: SpineProps) {
  const { t } = useTranslation();
  const now = useNow(isOpen ? 1_000 : null);
  const reactors = useResource(useHub().reactors, isOpen ? REACTORS_MS : null).value;
  return (
    <ol className="hub-spine">
      {stepsOf(life, now, reactors).map((step) => (
        <li key={step.key} data-tone={step.tone === "clock" ? "wait" : step.tone} data-gap={step.waits}>
          <span className="pt">
            <Icon of={MARKS[step.tone]} size="sm" />
          </span>
          <div>
            <b>{step.title}</b>
            {step.note ? <small>{step.note}</small> : null}
            {step.cause && life.cause ? (
              <button type="button" className="link-button" onClick={() => life.cause && onOpen(life.cause.id)}>
                {t("hub.life.openCause", { event: life.cause.event })}
              </button>
            ) : null}
            <Answers step={step} />
          </div>
          <time title={step.at === null ? undefined : fullMoment(step.at)}>{step.time}</time>
        </li>
      ))}
    </ol>
  );
}

function Answers({ step }: { readonly step: Step }) {
  return step.attempt && (step.attempt.request || step.attempt.answer) ? <Exchange attempt={step.attempt} /> : null;
}

function Acts({ life }: { readonly life: Life }) {
  const { t } = useTranslation();
  const hub = useHub();
  const reactors = useResource(hub.reactors, null).value ?? [];
  const { doing, failed, run } = useDeed();
  const names = new Set(life.jobs.map((job) => job.reactor));
  for (const reactor of reactors) if (reactor.on.some((pattern) => wants(pattern, life.event))) names.add(reactor.name);
  const again = (name: string) =>
    void run(name, async () => {
      hub.tail.learnJob(await hub.server.runAgain(life.id, name));
      await hub.life(life.id).refresh();
    });
  const [only] = names;
  return (
    <footer>
      <Refusal>{failed ? t("hub.life.notRun", { name: reactorName(failed.name), why: failed.words }) : null}</Refusal>
      <div className="hub-pair">
        {names.size > 1 ? (
          <Menu
            trigger={
              <Button icon={<Icon of={RotateCw} />} working={doing !== null}>
                {t("hub.life.again")}
              </Button>
            }
          >
            {[...names].map((name) => (
              <MenuItem key={name} icon={RotateCw} onSelect={() => again(name)}>
                {nameOf(name, reactors)}
              </MenuItem>
            ))}
          </Menu>
        ) : (
          <Button
            icon={<Icon of={names.size === 0 ? Ellipsis : RotateCw} />}
            working={doing !== null}
            disabled={only === undefined}
            title={only === undefined ? t("hub.life.noneToRun") : t("hub.life.againBy", { name: reactorName(only) })}
            onClick={() => only && again(only)}
          >
            {t("hub.life.again")}
          </Button>
        )}
        {canBePosted(life) ? <CopyButton text={curlOf(life, location.origin)} label={t("hub.life.curl")} /> : null}
      </div>
      {canBePosted(life) ? <p className="fine">{t("hub.life.curlLead")}</p> : <p className="fine">{t("hub.life.noCurl")}</p>}
    </footer>
  );
}

/** A webhook by its address, a rule by its name. */
export function nameOf(name: string, reactors: readonly { readonly name: string; readonly description: string | null }[]): string {
  const webhook = name.startsWith("webhook/") ? reactors.find((reactor) => reactor.name === name)?.description : null;
  return webhook ? `${reactorName(name)}, ${webhook}` : reactorName(name);
}

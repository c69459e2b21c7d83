import { Link } from "@tanstack/react-router";
import { Ban, CircleAlert, Clock, Pause, Play, Power, Zap } from "lucide-react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { Read, Refusal } from "./common.tsx";
import { DryRunPart } from "./DryRunPart.tsx";
import { clockTime, counted, number, shortMoment, span, wait } from "./formats.ts";
import { TopBar, type TopProps } from "./HubFrame.tsx";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import type { Reactor, ReactorState } from "./shapes.ts";
import { type Deed, useDeed } from "./useDeed.ts";
import { useNow } from "./useNow.ts";

const REFRESH_MS = 5_000;

/** What answers events, how each does, and a try of a rule against the past. */
export function ReactorsPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const reactors = useResource(hub.reactors, REFRESH_MS);
  const deed = useDeed();
  const setPaused = (name: string, paused: boolean) =>
    void deed.run(name, async () => {
      await hub.server.setPaused(name, paused);
      await hub.reactors.refresh();
    });
  return (
    <>
      <TopBar title={t("hub.parts.reactors")} />
      <div className="hub-body">
        <div className="hub-pane">
          <p className="hub-lead">{t("hub.reactors.lead")}</p>
          <Read of={reactors} label={t("hub.parts.reactors")} onRetry={() => void hub.reactors.refresh()} onAskAgain={onAskAgain}>
            {(all) =>
              all.length === 0 ? (
                <Notice title={t("hub.reactors.none")} lead={t("hub.reactors.noneLead")} />
              ) : (
                <ul className="hub-cards">
                  {all.map((reactor) => (
                    <ReactorCard key={reactor.name} reactor={reactor} deed={deed} onPaused={(paused) => setPaused(reactor.name, paused)} />
                  ))}
                </ul>
              )
            }
          </Read>
          <DryRunPart rules={reactors.value?.filter((reactor) => reactor.kind === "rule" && reactor.state !== "refused") ?? []} />
        </div>
      </div>
    </>
  );
}

const STATES: Readonly<Record<ReactorState, readonly [typeof Zap, "good" | "rest" | "warn" | "danger"]>> = {
  active: [Zap, "rest"],
  paused: [Pause, "warn"],
  idle: [Clock, "warn"],
  refused: [Ban, "danger"],
  resting: [CircleAlert, "warn"],
  off: [Power, "rest"],
};

interface ReactorCardProps {
  readonly reactor: Reactor;
  readonly deed: Deed;
  readonly onPaused: (paused: boolean) => void;
}

function ReactorCard({ reactor, deed, onPaused }: ReactorCardProps) {
  const { t } = useTranslation();
  const now = useNow(reactor.state === "resting" ? 1_000 : 60_000);
  const [mark, tone] = STATES[reactor.state];
  const isPaused = reactor.state === "paused";
  const canPause = ["active", "paused", "resting"].includes(reactor.state);
  return (
    <li className="hub-card" aria-label={reactor.name} data-state={reactor.state}>
      <header>
        <b className="mono cut">{reactor.name}</b>
        <span className="tag">{t(`hub.reactors.kinds.${reactor.kind}`)}</span>
        <span className="hub-state" data-tone={tone}>
          <Icon of={mark} size="sm" />
          {t(`hub.reactors.states.${reactor.state}`)}
        </span>
      </header>
      {reactor.description ? <p className="text-ink-2">{reactor.description}</p> : null}
      <StateWords reactor={reactor} now={now} />
      <p className="hub-patterns">
        {reactor.on.map((pattern) => (
          <code key={pattern}>{pattern}</code>
        ))}
      </p>
      <p className="fine num">
        {t("hub.reactors.waiting", { n: number(reactor.waiting) })}{" "}
        {reactor.dead > 0 ? (
          <Link to="/hub" search={{ part: "dead" }}>
            {t("hub.reactors.dead", counted(reactor.dead))}
          </Link>
        ) : (
          t("hub.reactors.noDead")
        )}{" "}
        {reactor.last
          ? t("hub.reactors.last", {
              when: shortMoment(reactor.last.at, now),
              how: t(`hub.reactors.lastStates.${reactor.last.state}`),
              took: span(reactor.last.took_ms),
            })
          : t("hub.reactors.never")}
      </p>
      <Refusal>{deed.failed?.name === reactor.name ? deed.failed.words : null}</Refusal>
      <div className="acts">
        {canPause ? (
          <Button icon={<Icon of={isPaused ? Play : Pause} />} working={deed.doing === reactor.name} onClick={() => onPaused(!isPaused)}>
            {isPaused ? t("hub.reactors.resume") : t("hub.reactors.pause")}
          </Button>
        ) : null}
        {reactor.kind === "webhook" ? (
          <Link to="/hub" search={{ part: "webhooks", webhook: reactor.name.replace(/^webhook\//, "") }} className="button">
            {t("hub.reactors.toWebhook")}
          </Link>
        ) : null}
      </div>
    </li>
  );
}

/** Why it does not run, or did not the last time, and what to do about it. */
function StateWords({ reactor, now }: { readonly reactor: Reactor; readonly now: number }) {
  const { t } = useTranslation();
  const { state, reason, file, line, rest_since: since, rest_until: until } = reactor;
  if (state === "off" || (state === "active" && reason === null)) return null;
  // The words of a refusal begin with the place.
  const isPlaced = file === null || reason?.startsWith(file);
  return (
    <p className={state === "refused" ? "bad-news" : "wait-news"}>
      {state === "refused" && !isPlaced ? (
        <b className="mono">{line === null ? file : t("hub.reactors.at", { file: file ?? "", line })}</b>
      ) : null}{" "}
      {reason && state !== "paused" ? <b>{ended(reason)}</b> : null}{" "}
      {state === "resting" && since ? <b>{t("hub.reactors.since", { time: clockTime(since).slice(0, 8) })} </b> : null}
      {state === "resting" && until !== null && until > now ? (
        <b>{t("hub.reactors.until", { time: clockTime(until).slice(0, 8), wait: wait(until - now) })}</b>
      ) : null}{" "}
      {state === "active" ? null : t(`hub.reactors.todo.${state}`)}
    </p>
  );
}

/** With a full stop, for a sentence follows. */
const ended = (sentence: string): string => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`);

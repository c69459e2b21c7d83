import { RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { Payload, Read, Refusal, TypeName } from "./common.tsx";
import { Exchange } from "./Exchange.tsx";
import { counted, fullMoment, reactorName, shortMoment } from "./formats.ts";
import { TopBar, type TopProps } from "./HubFrame.tsx";
import { useResource } from "./resource.ts";
import { JOBS_PAGE } from "./server.ts";
import { DEAD, useHub } from "./session.tsx";
import type { DeadLetter } from "./shapes.ts";
import { summaryOf } from "./summaries.ts";
import { type Deed, useDeed } from "./useDeed.ts";
import { useNow } from "./useNow.ts";

const REFRESH_MS = 5_000;

/** What nobody tries any more: why, what to do, and the ways on. */
export function DeadPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const letters = useResource(hub.deadLetters, REFRESH_MS);
  const deed = useDeed();
  const [confirm, setConfirm] = useState<DeadLetter | null>(null);
  const [progress, setProgress] = useState<string | null>(null);
  const reactors = [...new Set(letters.value?.map((letter) => letter.reactor) ?? [])];

  const refresh = () => Promise.all([hub.deadLetters.refresh(), hub.stats.refresh()]);
  const replay = (letter: DeadLetter) =>
    void deed.run(letter.id, async () => {
      hub.tail.learnJob(await hub.server.replay(letter.id));
      hub.deadLetters.change((all) => all.filter((other) => other.id !== letter.id));
      setProgress(t("hub.dead.replayed", { reactor: reactorName(letter.reactor) }));
      await refresh();
    });
  const replayAll = (reactor: string) =>
    void deed.run(`all ${reactor}`, async () => {
      let done = 0;
      try {
        for (let before: string | undefined; ; ) {
          const page = await hub.server.deadLetters(before);
          for (const letter of page) {
            if (letter.reactor !== reactor) continue;
            hub.tail.learnJob(await hub.server.replay(letter.id));
            done += 1;
            setProgress(t("hub.dead.replaying", { ...counted(done), reactor: reactorName(reactor) }));
          }
          before = page.at(-1)?.id;
          if (page.length < JOBS_PAGE) break;
        }
      } finally {
        setProgress(t("hub.dead.replayedAll", { ...counted(done), reactor: reactorName(reactor) }));
        await refresh();
      }
    });

  return (
    <>
      <TopBar title={t("hub.parts.dead")} />
      <div className="hub-body">
        <div className="hub-pane">
          <Read of={letters} label={t("hub.parts.dead")} onRetry={() => void hub.deadLetters.refresh()} onAskAgain={onAskAgain}>
            {(all) =>
              all.length === 0 ? (
                <>
                  <p role="status">{progress}</p>
                  <Notice title={t("hub.dead.none")} lead={t("hub.dead.noneLead")} />
                </>
              ) : (
                <>
                  <p className="hub-lead">{t("hub.dead.lead")}</p>
                  <div className="hub-tools">
                    {reactors.map((reactor) => (
                      <Button
                        key={reactor}
                        icon={<Icon of={RotateCw} />}
                        working={deed.doing === `all ${reactor}`}
                        onClick={() => replayAll(reactor)}
                      >
                        {t("hub.dead.replayAll", { reactor: reactorName(reactor) })}
                      </Button>
                    ))}
                    <span role="status" className="text-ink-2">
                      {progress}
                    </span>
                  </div>
                  <Refusal>{deed.failed?.name.startsWith("all ") ? deed.failed.words : null}</Refusal>
                  <ul className="hub-cards">
                    {all.map((letter) => (
                      <Letter
                        key={letter.id}
                        letter={letter}
                        deed={deed}
                        onReplay={() => replay(letter)}
                        onDiscard={() => setConfirm(letter)}
                      />
                    ))}
                  </ul>
                  {hub.hasMore(DEAD, all.length) ? (
                    <Button className="mt-3" onClick={() => void hub.showMore(DEAD)}>
                      {t("hub.showMore")}
                    </Button>
                  ) : null}
                </>
              )
            }
          </Read>
        </div>
      </div>
      {confirm ? (
        <ConfirmDialog
          title={t("hub.dead.discardTitle", { event: confirm.event.event, reactor: reactorName(confirm.reactor) })}
          lead={t("hub.dead.discardLead")}
          keep={t("hub.dead.keep")}
          act={t("hub.dead.discardAct")}
          onAct={async () => {
            await hub.server.discard(confirm.id);
            setConfirm(null);
            await refresh();
          }}
          onClose={() => setConfirm(null)}
        />
      ) : null}
    </>
  );
}

interface LetterProps {
  readonly letter: DeadLetter;
  readonly deed: Deed;
  readonly onReplay: () => void;
  readonly onDiscard: () => void;
}

function Letter({ letter, deed, onReplay, onDiscard }: LetterProps) {
  const { t } = useTranslation();
  const now = useNow(null);
  const [open, setOpen] = useState(false);
  const at = letter.ended ?? letter.created;
  return (
    <li className="hub-card" aria-label={t("hub.dead.label", { event: letter.event.event, reactor: reactorName(letter.reactor) })}>
      <header>
        <b className="cut">
          <TypeName of={letter.event.event} />
        </b>
        <span className="cut text-ink-2">{summaryOf(letter.event)}</span>
        <time className="num" dateTime={new Date(at).toISOString()} title={fullMoment(at)}>
          {shortMoment(at, now)}
        </time>
      </header>
      <p className="bad-news">
        <b>{t("hub.dead.by", { reactor: reactorName(letter.reactor), ...counted(letter.tries) })}</b> {letter.reason}
      </p>
      {letter.advice ? <p>{letter.advice}</p> : null}
      <Refusal>{deed.failed?.name === letter.id ? deed.failed.words : null}</Refusal>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{t("hub.dead.details")}</summary>
        {open ? <Details letter={letter} /> : null}
      </details>
      <div className="acts">
        <Button icon={<Icon of={RotateCw} />} working={deed.doing === letter.id} onClick={onReplay}>
          {t("hub.dead.replay")}
        </Button>
        <Button icon={<Icon of={Trash2} />} onClick={onDiscard}>
          {t("hub.dead.discard")}
        </Button>
      </div>
    </li>
  );
}

function Details({ letter }: { readonly letter: DeadLetter }) {
  const { t } = useTranslation();
  const { attempts } = letter;
  return (
    <div className="hub-details">
      <Payload of={letter.event.payload} label={t("hub.life.payload")} />
      {attempts.map((attempt) => (
        <div key={attempt.number}>
          <p className="text-ink-2">
            {t("hub.dead.attempt", { n: attempt.number, at: fullMoment(attempt.began) })} {attempt.error}
          </p>
          {attempt.request || attempt.answer ? <Exchange attempt={attempt} open={attempt === attempts.at(-1)} /> : null}
        </div>
      ))}
    </div>
  );
}

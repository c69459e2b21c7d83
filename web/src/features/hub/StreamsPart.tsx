import { useTranslation } from "../../i18n/useTranslation.ts";
import { Notice } from "../../ui/Notice.tsx";
import { Read } from "./common.tsx";
import { fullMoment, number, shortMoment } from "./formats.ts";
import { STATS_MS, TopBar, type TopProps } from "./HubFrame.tsx";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import { useNow } from "./useNow.ts";

/** Who listens to the stream now. */
export function StreamsPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const now = useNow(STATS_MS);
  const streams = useResource(hub.streams, STATS_MS);
  return (
    <>
      <TopBar title={t("hub.parts.streams")} />
      <div className="hub-body">
        <div className="hub-pane">
          <p className="hub-lead">{t("hub.streams.lead")}</p>
          <Read of={streams} label={t("hub.parts.streams")} onRetry={() => void hub.streams.refresh()} onAskAgain={onAskAgain}>
            {(all) =>
              all.length === 0 ? (
                <Notice title={t("hub.streams.none")} lead={t("hub.streams.noneLead")} />
              ) : (
                <ul className="hub-cards">
                  {all.map((stream, at) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: One who listens twice looks the same twice.
                    <li key={`${stream.who} ${stream.since} ${at}`} className="hub-card">
                      <header>
                        <b className="cut">{stream.who}</b>
                        <time className="num" title={fullMoment(stream.since)}>
                          {t("hub.streams.since", { when: shortMoment(stream.since, now) })}
                        </time>
                      </header>
                      <p className="hub-patterns">
                        {stream.events.length === 0
                          ? t("hub.streams.nothing")
                          : stream.events.map((pattern) => <code key={pattern}>{pattern}</code>)}
                      </p>
                      {stream.position === null ? null : (
                        <p className="fine num">{t("hub.streams.position", { position: number(stream.position) })}</p>
                      )}
                    </li>
                  ))}
                </ul>
              )
            }
          </Read>
        </div>
      </div>
    </>
  );
}

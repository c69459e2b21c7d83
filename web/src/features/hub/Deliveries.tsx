import { RotateCw } from "lucide-react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { ListSkeleton } from "../../ui/Skeleton.tsx";
import { Refusal, TypeName } from "./common.tsx";
import { Exchange } from "./Exchange.tsx";
import { clockTime, fullMoment, shortMoment, span, wait } from "./formats.ts";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import type { Delivery } from "./shapes.ts";
import { OutcomeMark } from "./TailList.tsx";
import { useDeed } from "./useDeed.ts";
import { useNow } from "./useNow.ts";

const REFRESH_MS = 2_000;

/** What one endpoint was told, with every attempt; newest first. */
export function Deliveries({ webhook }: { readonly webhook: string }) {
  const { t } = useTranslation();
  const hub = useHub();
  const resource = hub.deliveries(webhook);
  const { value, failure } = useResource(resource, REFRESH_MS);
  const deed = useDeed();
  const replay = (job: string) =>
    void deed.run(job, async () => {
      await hub.server.redeliver(webhook, job);
      await resource.refresh();
    });
  if (!value)
    return failure ? <Refusal>{t("hub.webhooks.noLog")}</Refusal> : <ListSkeleton label={t("hub.webhooks.deliveries")} rows={3} />;
  if (value.length === 0) return <p className="fine">{t("hub.webhooks.noDeliveries")}</p>;
  return (
    <>
      <ul className="hub-lines" aria-label={t("hub.webhooks.deliveries")}>
        {value.map((delivery) => (
          <Line
            key={delivery.id}
            delivery={delivery}
            failed={deed.failed?.name === delivery.id ? deed.failed.words : null}
            onReplay={() => replay(delivery.id)}
          />
        ))}
      </ul>
      {hub.hasMore(webhook, value.length) ? <Button onClick={() => void hub.showMore(webhook)}>{t("hub.showMore")}</Button> : null}
    </>
  );
}

const TONES = { waiting: "wait", running: "wait", done: "ok", dead: "dead", discarded: "none" } as const;

interface LineProps {
  readonly delivery: Delivery;
  readonly failed: string | null;
  readonly onReplay: () => void;
}

function Line({ delivery, failed, onReplay }: LineProps) {
  const { t } = useTranslation();
  const isCounting = delivery.state === "waiting" && delivery.due !== null;
  const now = useNow(isCounting ? 1_000 : 60_000);
  const tone = TONES[delivery.state];
  return (
    <li data-tone={tone}>
      <OutcomeMark of={tone} />
      <time title={fullMoment(delivery.created)}>{shortMoment(delivery.created, now)}</time>
      <div className="what">
        <span className="cut">
          <TypeName of={delivery.event.event} />
        </span>
        <span className="would">{wordsOf(delivery, now, t)}</span>
        <Refusal>{failed}</Refusal>
        {delivery.attempts.map((attempt) => (
          <div key={attempt.number}>
            <p className="fine num">
              {t("hub.webhooks.attempt", { n: attempt.number, at: clockTime(attempt.began), took: span(attempt.took_ms) })}{" "}
              {attempt.error ?? (attempt.status === null ? "" : t("hub.webhooks.status", { status: attempt.status }))}
            </p>
            {attempt.request || attempt.answer ? <Exchange attempt={attempt} /> : null}
          </div>
        ))}
      </div>
      {delivery.state === "waiting" || delivery.state === "running" ? null : (
        <IconButton icon={RotateCw} label={t("hub.webhooks.replay")} small onClick={onReplay} />
      )}
    </li>
  );
}

function wordsOf(delivery: Delivery, now: number, t: ReturnType<typeof useTranslation>["t"]): string {
  switch (delivery.state) {
    case "done":
      return delivery.took_ms === null ? t("hub.webhooks.done") : t("hub.webhooks.doneIn", { time: span(delivery.took_ms) });
    case "dead":
      return t("hub.webhooks.dead", { why: delivery.reason ?? "" });
    case "discarded":
      return t("hub.outcome.discarded");
    case "running":
      return t("hub.life.running");
    case "waiting":
      if (delivery.due === null || delivery.due <= now) return t("hub.life.waitingTurn");
      return t("hub.outcome.tryIn", { n: delivery.tries + 1, time: wait(delivery.due - now) });
  }
}

import { FlaskConical } from "lucide-react";
import { useId, useRef, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { Select } from "../../ui/Select.tsx";
import { Code, Refusal, TypeName } from "./common.tsx";
import { requestText } from "./Exchange.tsx";
import { clockTime, counted, fullMoment, number } from "./formats.ts";
import { useHub } from "./session.tsx";
import type { DryEffect, DryLine, DryRun, Reactor, RuleFault } from "./shapes.ts";
import { summaryOf } from "./summaries.ts";
import { OutcomeMark } from "./TailList.tsx";
import { useDeed } from "./useDeed.ts";

/** So many past events are tried. */
const LIMIT = 50;

/** Tries a rule against past events: what it would do, without doing it. */
export function DryRunPart({ rules }: { readonly rules: readonly Reactor[] }) {
  const { t } = useTranslation();
  const hub = useHub();
  const deed = useDeed();
  const [by, setBy] = useState<"name" | "text">("name");
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [result, setResult] = useState<DryRun | null>(null);
  const chosen = rules.find((rule) => rule.name === name)?.name ?? rules[0]?.name ?? "";
  const area = useRef<HTMLTextAreaElement>(null);

  const run = () =>
    void deed.run("dry", async () => {
      setResult(null);
      setResult(await hub.server.dryRun(by === "name" ? { name: chosen } : { rule: text }, LIMIT));
    });
  const goTo = (fault: RuleFault) => {
    const start =
      text
        .split("\n")
        .slice(0, fault.line - 1)
        .reduce((sum, line) => sum + line.length + 1, 0) + Math.max(0, fault.column - 1);
    area.current?.focus();
    area.current?.setSelectionRange(start, start);
  };

  return (
    <section className="hub-dry" aria-labelledby="dry-run">
      <h2 id="dry-run">{t("hub.dry.title")}</h2>
      <p className="hub-lead">{t("hub.dry.lead")}</p>
      <div className="hub-tools">
        <Segments
          label={t("hub.dry.by")}
          value={by}
          options={[
            ["name", t("hub.dry.byName")],
            ["text", t("hub.dry.byText")],
          ]}
          onChange={(next) => {
            setBy(next);
            setResult(null);
          }}
        />
      </div>
      {by === "name" ? (
        rules.length > 0 ? (
          <div className="hub-choose">
            <Select
              label={t("hub.dry.rule")}
              value={chosen}
              options={rules.map((rule) => [rule.name, rule.name] as const)}
              onChange={setName}
            />
          </div>
        ) : (
          <p className="text-ink-2">{t("hub.dry.noRule")}</p>
        )
      ) : (
        <RuleText text={text} faults={result?.errors ?? []} area={area} onText={setText} />
      )}
      <div className="hub-tools">
        <Button
          icon={<Icon of={FlaskConical} />}
          working={deed.doing !== null}
          disabled={by === "name" ? chosen === "" : text.trim() === ""}
          onClick={run}
        >
          {t("hub.dry.run")}
        </Button>
      </div>
      <Refusal>{deed.failed?.words ?? null}</Refusal>
      <div role="status">
        {result && result.errors.length > 0 ? (
          <ul className="hub-faults">
            {result.errors.map((fault) => (
              <li key={`${fault.line} ${fault.column} ${fault.reason}`}>
                {by === "text" ? (
                  <button type="button" className="link-button" onClick={() => goTo(fault)}>
                    {t("hub.dry.place", { line: fault.line, column: fault.column })}
                  </button>
                ) : (
                  <b>{t("hub.dry.place", { line: fault.line, column: fault.column })}</b>
                )}{" "}
                {fault.reason} {fault.hint}
              </li>
            ))}
          </ul>
        ) : null}
        {result?.idle ? <p className="hub-idle">{t("hub.dry.idle", { why: result.idle })}</p> : null}
        {result && result.errors.length === 0 ? <Lines lines={result.events} /> : null}
      </div>
    </section>
  );
}

interface RuleTextProps {
  readonly text: string;
  readonly faults: readonly RuleFault[];
  readonly area: React.RefObject<HTMLTextAreaElement | null>;
  readonly onText: (text: string) => void;
}

/** The rule with the numbers of its lines; those with a fault are marked. */
function RuleText({ text, faults, area, onText }: RuleTextProps) {
  const { t } = useTranslation();
  const id = useId();
  const numbers = useRef<HTMLPreElement>(null);
  const wrong = new Set(faults.map((fault) => fault.line));
  const lines = Math.max(12, text.split("\n").length);
  return (
    <div className="field">
      <label htmlFor={id}>{t("hub.dry.text")}</label>
      <div className="hub-rule">
        <pre ref={numbers} aria-hidden="true">
          {Array.from({ length: lines }, (_, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: A line is its number.
            <span key={at} data-wrong={wrong.has(at + 1)}>
              {at + 1}
            </span>
          ))}
        </pre>
        <textarea
          id={id}
          ref={area}
          rows={12}
          value={text}
          wrap="off"
          aria-invalid={faults.length > 0 || undefined}
          onChange={(event) => onText(event.target.value)}
          onScroll={(event) => {
            if (numbers.current) numbers.current.scrollTop = event.currentTarget.scrollTop;
          }}
          placeholder={'on = ["FLOWPAY:PAYMENT_RECEIVED"]\n\n[http]\nmethod = "POST"\nurl = "{{ env.FACTORY_API_URL }}/api/mint"'}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
        />
      </div>
    </div>
  );
}

function Lines({ lines }: { readonly lines: readonly DryLine[] }) {
  const { t } = useTranslation();
  const hits = lines.filter((line) => line.matches || line.error !== null);
  const rest = lines.filter((line) => !hits.includes(line));
  if (lines.length === 0) return <p>{t("hub.dry.noEvents")}</p>;
  return (
    <>
      <p>{t("hub.dry.result", { ...counted(lines.length), hits: number(hits.filter((line) => line.matches).length) })}</p>
      <Rows lines={hits} />
      {rest.length > 0 ? (
        <details>
          <summary>{t("hub.dry.others", counted(rest.length))}</summary>
          <Rows lines={rest} />
        </details>
      ) : null}
    </>
  );
}

function Rows({ lines }: { readonly lines: readonly DryLine[] }) {
  return (
    <ul className="hub-lines">
      {lines.map((line) => (
        <Line key={line.event.id} line={line} />
      ))}
    </ul>
  );
}

function Line({ line }: { readonly line: DryLine }) {
  const { t } = useTranslation();
  const tone = line.error !== null ? "dead" : line.matches ? "ok" : "none";
  const effects = line.effects.map((effect) => effectText(effect, t));
  const words =
    line.error !== null
      ? line.error
      : !line.matches
        ? t("hub.dry.noMatch")
        : line.call
          ? t("hub.dry.wouldCall", { method: line.call.method, url: line.call.url })
          : effects.length > 0
            ? effects.join(" ")
            : t("hub.dry.nothing");
  return (
    <li data-tone={tone}>
      <OutcomeMark of={tone} />
      <time title={fullMoment(line.event.timestamp)}>{clockTime(line.event.timestamp).slice(0, 8)}</time>
      <span className="what">
        <span className="cut">
          <TypeName of={line.event.event} /> <span className="text-ink-2">{summaryOf(line.event)}</span>
        </span>
        <span className="would">{words}</span>
        {line.call ? (
          <details className="hub-exchange">
            <summary>{t("hub.dry.details")}</summary>
            {line.key ? <p className="mono">{t("hub.dry.key", { key: line.key })}</p> : null}
            <Code label={t("hub.exchange.request")}>{requestText(line.call)}</Code>
            {effects.map((effect) => (
              <p key={effect}>{effect}</p>
            ))}
          </details>
        ) : null}
      </span>
    </li>
  );
}

/** An effect as a sentence. */
function effectText(effect: DryEffect, t: ReturnType<typeof useTranslation>["t"]): string {
  const what =
    effect.effect === "message"
      ? t("hub.dry.wouldWrite", { channel: effect.channel ?? "?", text: effect.text ?? "…" })
      : t("hub.dry.wouldEmit", { event: effect.event ?? "?" });
  const conditions = [
    ...(effect.after_answer ? [t("hub.dry.afterAnswer")] : []),
    ...(effect.when ? [t("hub.dry.under", { when: effect.when })] : []),
    ...(effect.note ? [effect.note] : []),
  ];
  return [what, ...conditions].join(", ");
}

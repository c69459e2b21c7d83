import { KeyRound } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { FormError } from "../../ui/Field.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { allKeys, type DemoKey, keepKey, makePair, signWith } from "./demoKeys.ts";
import { number, stub } from "./formats.ts";
import type { Report } from "./shapes.ts";
import { Part } from "./ToolFrame.tsx";
import type { Verifier } from "./verifier.ts";

const ID = /^[A-Za-z0-9:._@%-]{1,255}$/;

export interface DemoKeysProps {
  readonly report: Report;
  readonly verifier: Verifier;
  readonly onLookUp: (id: string) => void;
  /** The log has a new entry. */
  readonly onRegistered: () => void;
  /** What came of the last press. The page keeps it, for this part goes away while the log is checked anew. */
  readonly said: Said;
  readonly onSay: (said: Said) => void;
}

export type Said = { readonly tone: "good" | "bad"; readonly words: string } | null;

/** Registers keys of this browser, to try the log with. */
export function DemoKeys({ report, verifier, onLookUp, onRegistered, said, onSay: say }: DemoKeysProps) {
  const { t } = useTranslation();
  const [keys, setKeys] = useState<readonly DemoKey[]>([]);
  const [id, setId] = useState(freshId);
  const [working, setWorking] = useState(false);

  const load = useCallback(() => {
    allKeys().then(setKeys, () => undefined);
  }, []);
  useEffect(load, [load]);

  const run = async (work: () => Promise<void>) => {
    if (working) return;
    setWorking(true);
    say(null);
    try {
      await work();
    } catch (why) {
      const words = why instanceof Refused ? why.message : why instanceof DOMException ? t("audit.keys.noStorage") : t("errors.network");
      say({ tone: "bad", words });
    } finally {
      setWorking(false);
      load();
    }
  };

  const post = async (body: Registration): Promise<{ readonly index: number; readonly fresh: boolean }> => {
    const response = await fetch("/did/register", {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { readonly leaf_index?: number; readonly detail?: string };
    if (response.ok && answer.leaf_index !== undefined) return { index: answer.leaf_index, fresh: response.status === 201 };
    if (response.status === 503) throw new Refused(t("audit.keys.unpublished"));
    if (response.status === 429) throw new Refused(t("audit.keys.slow", { seconds: response.headers.get("retry-after") ?? "1" }));
    throw new Refused(t("audit.keys.refused", { why: answer.detail ?? String(response.status) }));
  };

  const register = (wanted: string) =>
    run(async () => {
      if (!ID.test(wanted)) throw new Refused(t("audit.keys.idBad"));
      // One that was made before and not yet registered is tried again, so that nothing is lost by a bad connection.
      const before = keys.find((key) => key.id === wanted);
      const pair = before ?? (await makePair());
      if (!pair) throw new Refused(t("audit.keys.unsupported"));
      const key: DemoKey = before ?? { id: wanted, ...pair, timestamp: Math.floor(Date.now() / 1_000), index: null };
      await keepKey(key);
      const { index, fresh } = await post({ id: wanted, public_key: key.public_key, timestamp: key.timestamp });
      await keepKey({ ...key, index });
      say({ tone: "good", words: t(fresh ? "audit.keys.registered" : "audit.keys.already", { index: number(index) }) });
      setId(freshId());
      onRegistered();
    });

  const rotate = (key: DemoKey) =>
    run(async () => {
      const pair = await makePair();
      if (!pair || !report.document) throw new Refused(t("audit.keys.unsupported"));
      const timestamp = Math.max(Math.floor(Date.now() / 1_000), key.timestamp + 1);
      const next = { id: key.id, public_key: pair.public_key, timestamp };
      const current = { id: key.id, public_key: key.public_key, timestamp: key.timestamp };
      const message = await verifier.ask("rotation", {
        logId: report.document.log_id,
        current: JSON.stringify(current),
        next: JSON.stringify(next),
      });
      const rotation = { old: await signWith(key.secret, message), new: await signWith(pair.secret, message) };
      const { index } = await post({ ...next, rotation });
      await keepKey({ id: key.id, ...pair, timestamp, index });
      say({ tone: "good", words: t("audit.keys.rotated", { id: key.id, index: number(index) }) });
      onRegistered();
    });

  return (
    <Part id="keys" title={t("audit.parts.keys")}>
      <p className="text-ink-2">{t("audit.keys.lead")}</p>
      <form
        className="lookup mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          void register(id.trim());
        }}
      >
        <input
          className="input"
          value={id}
          onChange={(event) => setId(event.target.value)}
          aria-label={t("audit.keys.id")}
          title={t("audit.keys.idHint")}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
        />
        <Button type="submit" icon={<Icon of={KeyRound} />} working={working}>
          {t("audit.keys.register")}
        </Button>
      </form>
      <div className="mt-3" role="status">
        {said?.tone === "good" ? <p>{said.words}</p> : null}
      </div>
      <FormError>{said?.tone === "bad" ? said.words : null}</FormError>
      {keys.length === 0 ? (
        <p className="text-ink-3">{t("audit.keys.none")}</p>
      ) : (
        <ul className="history" aria-label={t("audit.keys.list")}>
          {keys.map((key) => (
            <li key={key.id}>
              <b className="cut">{key.id}</b>
              <span className="mono">{stub(key.public_key)}</span>
              <span className="num">
                {key.index === null ? t("audit.keys.waiting") : t("audit.keys.entry", { index: number(key.index) })}
              </span>
              <span className="acts">
                {key.index === null ? (
                  <button
                    type="button"
                    className="link-button"
                    aria-label={t("audit.keys.againId", { id: key.id })}
                    onClick={() => void register(key.id)}
                  >
                    {t("audit.keys.again")}
                  </button>
                ) : (
                  <>
                    <button
                      type="button"
                      className="link-button"
                      aria-label={t("audit.keys.lookUpId", { id: key.id })}
                      onClick={() => onLookUp(key.id)}
                    >
                      {t("audit.keys.lookUp")}
                    </button>
                    <button
                      type="button"
                      className="link-button"
                      aria-label={t("audit.keys.rotateId", { id: key.id })}
                      onClick={() => void rotate(key)}
                    >
                      {t("audit.keys.rotate")}
                    </button>
                  </>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Part>
  );
}

interface Registration {
  readonly id: string;
  readonly public_key: string;
  readonly timestamp: number;
  readonly rotation?: { readonly old: string; readonly new: string };
}

/** The log, or this page, said no, in words. */
class Refused extends Error {}

function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return `did:example:${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

import { useTranslation } from "../../i18n/useTranslation.ts";
import { Code } from "./common.tsx";
import { type Json, parseExact, tokensOf } from "./exactJson.ts";
import type { Answered, Attempt, Sent } from "./shapes.ts";

/** What one attempt sent, and what it was answered. The server has covered what is secret. */
export function Exchange({ attempt, open = false }: { readonly attempt: Attempt; readonly open?: boolean }) {
  const { t } = useTranslation();
  return (
    <details className="hub-exchange" open={open}>
      <summary>{t("hub.exchange.both")}</summary>
      {attempt.request ? <Sheet title={t("hub.exchange.request")} text={requestText(attempt.request)} /> : null}
      {attempt.answer ? (
        <Sheet title={t("hub.exchange.answer", { status: attempt.answer.status })} text={answerText(attempt.answer)} />
      ) : (
        <p>{t("hub.exchange.none")}</p>
      )}
    </details>
  );
}

function Sheet({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <>
      <p className="label">{title}</p>
      <Code label={title}>{text}</Code>
    </>
  );
}

export const requestText = (sent: Sent): string => `${sent.method} ${sent.url}\n${headersText(sent.headers)}${bodyText(sent.body)}`;
const answerText = (answer: Answered): string => (headersText(answer.headers) + bodyText(answer.body)).trimEnd();

const headersText = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");

/** JSON over several lines, its numbers as they were sent; anything else as it is. */
function bodyText(body: string | null): string {
  if (!body) return "";
  try {
    const { payload } = parseExact(`{"payload":${body}}`) as { readonly payload: Json };
    return `\n${tokensOf(payload)
      .map((token) => token.text)
      .join("")}`;
  } catch {
    return `\n${body}`;
  }
}

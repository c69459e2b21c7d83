/** A posted event as a command that sends it once more, signed. */
import { printExact } from "./exactJson.ts";
import type { HubEvent } from "./shapes.ts";

/** The secret is not in it: the shell takes it from `NEXUS_SECRET`. The time is signed too, for sources that demand it. */
export function curlOf(event: Pick<HubEvent, "event" | "payload" | "source">, origin: string): string {
  const body = printExact({ event: event.event, payload: event.payload });
  const named =
    event.source === "default" || event.source.startsWith("reactor/") ? [] : [`  -H ${quoted(`X-Nexus-Source: ${event.source}`)} \\`];
  return [
    `BODY=${quoted(body)}`,
    "TIME=$(date +%s)",
    `SIGNATURE=$(printf '%s' "$TIME.$BODY" | openssl dgst -sha256 -hmac "$NEXUS_SECRET" -hex | sed 's/^.* //')`,
    `curl -sS -X POST ${quoted(`${origin}/events`)} \\`,
    "  -H 'Content-Type: application/json' \\",
    ...named,
    '  -H "X-Nexus-Timestamp: $TIME" \\',
    '  -H "X-Nexus-Signature: $SIGNATURE" \\',
    '  --data-binary "$BODY"',
    "",
  ].join("\n");
}

/** As one word of a shell, whatever is in it. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The platform's own events can't be posted, so there is no command for them. */
export const canBePosted = (event: Pick<HubEvent, "event">): boolean => !event.event.startsWith("nexus:");

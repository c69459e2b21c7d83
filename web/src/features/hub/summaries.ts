/** A payload in a few words: a sentence for the types we know, else its first fields. */
import i18next from "i18next";
import { type JsonObject, plainOf } from "./exactJson.ts";
import type { HubEvent } from "./shapes.ts";

/** So many fields are named of a payload we know nothing of. */
const FIELDS_MAX = 3;
const CHARS_MAX = 40;
const ID_DIGITS = 6;

type Words = (payload: JsonObject) => string | null;

const SENTENCES: Readonly<Record<string, Words>> = {
  "FLOWPAY:PAYMENT_RECEIVED": payment,
  "FLOWPAY:PAYMENT_FAILED": payment,
  "FACTORY:MINT_REQUESTED": mint,
  "FACTORY:MINT_CONFIRMED": mint,
  "FACTORY:MINT_FAILED": mint,
  "FLUXX:PROPOSAL_CREATED": proposal,
  "FLUXX:VOTE_CAST": proposal,
  "nexus:message_create": message,
  "nexus:channel_create": channel,
  "nexus:channel_update": channel,
  "nexus:channel_delete": channel,
  "nexus:guild_create": guild,
  "nexus:guild_update": guild,
  "nexus:guild_delete": guild,
  "nexus:guild_member_add": member,
  "nexus:guild_member_remove": member,
};

export function summaryOf(event: Pick<HubEvent, "event" | "payload">): string {
  return SENTENCES[event.event]?.(event.payload) ?? firstFields(event.payload);
}

function first(payload: JsonObject, ...names: readonly string[]): string | null {
  for (const name of names) {
    const value = plainOf(payload[name]);
    if (value !== null && value !== "") return cut(value);
  }
  return null;
}

/** The last digits of a long id: those that tell it from its neighbours. The payload has it whole. */
function idOf(payload: JsonObject, name: string): string | null {
  const id = first(payload, name);
  return id && id.length > ID_DIGITS + 1 ? `…${id.slice(-ID_DIGITS)}` : id;
}

function payment(payload: JsonObject): string | null {
  const order = first(payload, "orderId", "transactionId");
  const amount = first(payload, "amount");
  if (!order || !amount) return null;
  const currency = first(payload, "currency");
  return i18next.t("hub.summary.payment", { order, amount: currency ? `${amount} ${currency}` : amount });
}

function mint(payload: JsonObject): string | null {
  const amount = first(payload, "amount");
  const address = first(payload, "targetAddress", "address");
  if (!amount || !address) return null;
  const token = first(payload, "tokenId");
  return token ? i18next.t("hub.summary.mintToken", { token, amount, address }) : i18next.t("hub.summary.mint", { amount, address });
}

function proposal(payload: JsonObject): string | null {
  const id = first(payload, "proposalId");
  if (!id) return null;
  const more = first(payload, "decision", "title");
  return more ? i18next.t("hub.summary.proposalMore", { id, more }) : i18next.t("hub.summary.proposal", { id });
}

function message(payload: JsonObject): string | null {
  const [id, channelId] = [idOf(payload, "message_id"), idOf(payload, "channel_id")];
  return id && channelId ? i18next.t("hub.summary.message", { id, channel: channelId }) : null;
}

function channel(payload: JsonObject): string | null {
  const id = idOf(payload, "channel_id");
  return id ? i18next.t("hub.summary.channel", { id }) : null;
}

function guild(payload: JsonObject): string | null {
  const id = idOf(payload, "guild_id");
  return id ? i18next.t("hub.summary.guild", { id }) : null;
}

function member(payload: JsonObject): string | null {
  const [id, guildId] = [idOf(payload, "user_id"), idOf(payload, "guild_id")];
  return id && guildId ? i18next.t("hub.summary.member", { id, guild: guildId }) : null;
}

function firstFields(payload: JsonObject): string {
  const fields: string[] = [];
  for (const [name, value] of Object.entries(payload)) {
    const plain = plainOf(value);
    if (plain !== null) fields.push(`${name} ${cut(plain)}`);
    if (fields.length === FIELDS_MAX) break;
  }
  return fields.length > 0 ? fields.join(", ") : i18next.t("hub.summary.nothing");
}

const cut = (text: string): string => (text.length > CHARS_MAX ? `${text.slice(0, CHARS_MAX - 1)}…` : text);

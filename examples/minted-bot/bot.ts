/**
 * Says in a channel what was minted: hears `FACTORY:MINT_CONFIRMED` from the event hub and posts as a bot.
 *
 * Every event becomes one message, however often the bot or the server is restarted: the position is stored after the message was taken,
 * and the message carries the event's id as its nonce, so that one which was posted but not noted is not posted twice.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { NexusClient } from "@nexus/sdk/hub";

const env = (name: string, otherwise?: string) => {
  const value = process.env[name] ?? otherwise;
  if (value === undefined) throw new Error(`Set ${name}; README.md says to what.`);
  return value;
};
const url = env("NEXUS_URL", "http://127.0.0.1:8080");
const botToken = env("BOT_TOKEN");
const channelId = env("CHANNEL_ID");
const positionFile = env("POSITION_FILE", "position.txt");

async function post(content: string, nonce: string): Promise<void> {
  const answer = await fetch(`${url}/api/v1/channels/${channelId}/messages`, {
    method: "POST",
    headers: { authorization: `Bot ${botToken}`, "content-type": "application/json" },
    body: JSON.stringify({ content, nonce }),
    signal: AbortSignal.timeout(15_000),
  });
  // Thrown, so that the client gives the same event again after a pause.
  if (!answer.ok) throw new Error(`the message was answered with ${answer.status}: ${await answer.text()}`);
}

async function load(): Promise<number | undefined> {
  const text = await readFile(positionFile, "utf8").catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

/** In one step: a bot that dies in the middle leaves the old file. */
async function store(position: number | undefined): Promise<void> {
  await writeFile(`${positionFile}.new`, String(position ?? 0));
  await rename(`${positionFile}.new`, positionFile);
}

const client = new NexusClient({
  url,
  secret: env("NEXUS_SECRET"),
  ...(process.env.NEXUS_SOURCE ? { source: process.env.NEXUS_SOURCE } : {}),
});
const since = await load();
const subscription = client.subscribe(
  ["FACTORY:MINT_CONFIRMED"],
  async ({ id, position, payload }) => {
    await post(`minted ${payload.amount} for ${payload.targetAddress ?? payload.address}`, id);
    await store(position);
  },
  { since, onGap: ({ since }) => console.warn(`Some events after position ${since} are gone.`) },
);
await subscription.ready;
if (since === undefined) await store(subscription.position);
console.log(`Listening after position ${subscription.position}.`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => client.close());

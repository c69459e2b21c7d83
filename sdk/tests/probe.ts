/**
 * The TypeScript one of three programs that the tests here drive against a real server; the others are `probe.py` and
 * `crates/nexus-client/examples/hub_probe.rs`.
 *
 * `listen SINCE TYPE…` prints a line for each event, gap and fault until its input ends; `publish COUNT NAME` publishes events numbered
 * from 1. The address is `NEXUS_URL`, the secret `NEXUS_SECRET`.
 */
import { once } from "node:events";
import { NexusClient } from "@nexus/sdk/hub";

const [action, first = "", ...rest] = process.argv.slice(2);
const client = new NexusClient({ url: process.env.NEXUS_URL ?? "", secret: process.env.NEXUS_SECRET ?? "", publishForMs: 120_000 });
const say = (line: object) => console.log(JSON.stringify(line));

if (action === "listen") {
  const subscription = client.subscribe(rest, ({ position, id, payload }) => say({ position, id, payload }), {
    since: first === "now" ? undefined : Number(first),
    onGap: ({ since }) => say({ gap: since }),
    onError: ({ code, message }) => say({ problem: code, message }),
  });
  await subscription.ready;
  say({ ready: subscription.position ?? null });
  process.stdin.resume();
  await once(process.stdin, "end");
  await client.close();
  say({ closed: subscription.position ?? null });
} else {
  const [name = ""] = rest;
  for (let number = 1; number <= Number(first); number += 1) {
    const id = `${name}-${number}`;
    const published = await client.publish("FLUXX:VOTE_CAST", { proposalId: id, voterId: name, decision: "for" }, { id });
    say({ published: published.position, duplicate: published.duplicate });
  }
}

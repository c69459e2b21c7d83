/** The three clients of the event hub against a real server that dies, and over a network that is cut. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NexusClient } from "@nexus/sdk/hub";
import { Instance, SECRET, until } from "./instance.ts";
import { Line } from "./line.ts";
import { each, LANGUAGES, Probe } from "./probes.ts";

const EVENTS = 500;

let instance: Instance;
const probes: Probe[] = [];

before(async () => {
  instance = await Instance.start();
});
after(async () => {
  for (const probe of probes) await probe.kill();
  await instance.end();
});

function listener(
  language: Parameters<Parameters<typeof each>[0]>[0],
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Probe {
  const probe = new Probe(language, ["listen", ...words], { NEXUS_URL: instance.url, ...environment });
  probes.push(probe);
  return probe;
}

function publisher(language: Parameters<Parameters<typeof each>[0]>[0], count: number, name: string): Probe {
  const probe = new Probe(language, ["publish", String(count), name], { NEXUS_URL: instance.url });
  probes.push(probe);
  return probe;
}

/** What a listener saw, as the numbers that each publisher gave; each must come once, in order. */
function assertComplete(probe: Probe, names: readonly string[], count: number): void {
  const positions = probe.events.map(({ position }) => position);
  assert.deepEqual(
    positions,
    Array.from(new Set(positions)).sort((one, other) => one - other),
  );
  for (const name of names) {
    const seen = probe.events.filter(({ payload }) => payload.voterId === name).map(({ payload }) => payload.proposalId);
    assert.deepEqual(
      seen,
      Array.from({ length: count }, (_, at) => `${name}-${at + 1}`),
    );
  }
}

test("every event comes once and in order to all three, though the server is killed twice", async () => {
  const listeners = await each((language) => listener(language, ["now", "FLUXX:*"]));
  await until("all listen", () => listeners.every(({ ready }) => typeof ready === "number"));
  const names = LANGUAGES.map((language) => `by-${language}`);
  const publishers = await each((language) => publisher(language, EVENTS, `by-${language}`));
  const published = () => publishers.reduce((sum, probe) => sum + probe.published.length, 0);
  for (const share of [0.2, 0.6]) {
    await until("some are published", () => published() > share * EVENTS * LANGUAGES.length, 120_000);
    await instance.kill();
    await sleep(300);
    await instance.start();
  }
  for (const probe of publishers) assert.equal(await probe.ended, 0);
  await until("everybody heard everything", () => listeners.every(({ events }) => events.length >= EVENTS * LANGUAGES.length));
  await sleep(200);
  for (const probe of listeners) {
    assertComplete(probe, names, EVENTS);
    assert.deepEqual(probe.gaps, []);
    await probe.leave();
    assert.equal(probe.closed, probe.events.at(-1)?.position);
  }
  const [first] = listeners;
  const ids = first?.events.map(({ id }) => id);
  for (const { events } of listeners) {
    assert.deepEqual(
      events.map(({ id }) => id),
      ids,
    );
  }
  assert.deepEqual(await recorded(), ids);
});

/** The ids of all votes in the server's record, oldest first. */
async function recorded(): Promise<string[]> {
  const client = new NexusClient({ url: instance.url, secret: SECRET });
  const ids: string[] = [];
  for (let before: number | undefined; ; ) {
    const page = await client.events({ events: ["FLUXX:VOTE_CAST"], limit: 100, ...(before === undefined ? {} : { before }) });
    ids.push(...page.map(({ id }) => id));
    before = page.at(-1)?.position;
    if (before === undefined) return ids.reverse();
  }
}

test("a listener that dies goes on from the position that it stored", async () => {
  const marker = await new NexusClient({ url: instance.url, secret: SECRET }).publish("NEXUS:START", {});
  const first = await each((language) => listener(language, [String(marker.position), "FLUXX:VOTE_CAST"]));
  const publishing = publisher("rust", 100, "stored");
  await until("some are heard", () => first.every(({ events }) => events.length > 20));
  for (const probe of first) await probe.kill();
  const second = await Promise.all(
    LANGUAGES.map((language, at) => listener(language, [String(first[at]?.events.at(-1)?.position), "FLUXX:VOTE_CAST"])),
  );
  assert.equal(await publishing.ended, 0);
  for (const [at, probe] of second.entries()) {
    await until("the rest is heard", () => (first[at]?.events.length ?? 0) + probe.events.length >= 100);
    probe.events.unshift(...(first[at]?.events ?? []));
    assertComplete(probe, ["stored"], 100);
    await probe.leave();
  }
});

test("a network that is cut for some seconds costs nothing", async () => {
  const line = await Line.to(instance.port);
  try {
    const listeners = await each((language) => listener(language, ["now", "FLUXX:*"], { NEXUS_URL: line.url }));
    await until("all listen", () => listeners.every(({ ready }) => typeof ready === "number"));
    const publishing = publisher("typescript", 200, "cut");
    await until("some are heard", () => listeners.every(({ events }) => events.length > 5));
    line.cut();
    await sleep(3_000);
    assert.equal(await publishing.ended, 0);
    const heard = listeners.map(({ events }) => events.length);
    line.mend();
    await until("the rest is heard", () => listeners.every(({ events }) => events.length >= 200));
    for (const probe of listeners) {
      assertComplete(probe, ["cut"], 200);
      assert.ok(probe.problems.some(({ problem }) => problem === "unreachable"));
      await probe.leave();
    }
    assert.ok(
      heard.some((count) => count < 200),
      "the cut came in time to matter",
    );
  } finally {
    line.end();
  }
});

test("a wrong secret is told, and nothing is hammered", async () => {
  const wrong = { NEXUS_SECRET: "not the secret of this hub, though long enough" };
  const listeners = await each((language) => listener(language, ["now", "FLUXX:*"], wrong));
  await until("all are told", () => listeners.every(({ problems }) => problems.length > 0));
  await sleep(1_500);
  for (const probe of listeners) {
    assert.deepEqual(
      probe.problems.map(({ problem }) => problem),
      ["invalid_signature"],
    );
    await probe.kill();
  }
});

test("types that the hub does not know are named, the others come", async () => {
  const listeners = await each((language) => listener(language, ["now", "FLUXX:*", "FLUXX:NOTHING"]));
  await until("all listen", () => listeners.every(({ ready, problems }) => typeof ready === "number" && problems.length > 0));
  await new NexusClient({ url: instance.url, secret: SECRET }).publish("VOTE_CAST", { proposalId: "p", voterId: "v", decision: "against" });
  for (const probe of listeners) {
    await until("it is heard", () => probe.events.length === 1);
    assert.match(probe.problems[0]?.message ?? "", /FLUXX:NOTHING/);
    await probe.leave();
  }
});

/** The law `apply(READY before, events) == READY after`, with transcripts recorded from the instance. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { apply } from "../src/store/apply.ts";
import { decode } from "../src/store/decode.ts";
import { snapshotOf } from "../src/store/snapshot.ts";
import { emptyState, type State } from "../src/store/state.ts";
import type { FullGuild } from "../src/wire.ts";

interface Frame {
  readonly t: string;
  readonly d: unknown;
}

interface Transcript {
  readonly name: string;
  readonly before: readonly Frame[];
  readonly events: readonly Frame[];
  readonly after: readonly Frame[];
}

const RECORDED = path.join(import.meta.dirname, "../../../fixtures/gateway");
const OWN = path.join(import.meta.dirname, "fixtures");

function transcripts(folder: string): Transcript[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return files.map((file) => JSON.parse(readFileSync(path.join(folder, file), "utf8")) as Transcript);
}

function replay(state: State, frames: readonly Frame[]): State {
  return frames.reduce((current, frame) => {
    const event = decode(frame.t, frame.d);
    return event ? apply(current, event) : current;
  }, state);
}

/** The lists of guilds that are no longer large, as `members.ts` would fetch them by REST: what GUILD_CREATE would name. */
function withLists(state: State, after: readonly Frame[]): State {
  const guilds = after.filter((frame) => frame.t === "GUILD_CREATE").map((frame) => frame.d as FullGuild);
  return guilds.reduce((now, { id, members = [] }) => apply(now, { type: "members_loaded", guildId: id, members }), state);
}

const recorded = transcripts(RECORDED);

describe("the law of events", () => {
  it("has recorded transcripts", () => {
    expect(recorded.length).toBeGreaterThan(0);
  });

  for (const transcript of [...transcripts(OWN), ...recorded]) {
    it(`holds when ${transcript.name}`, () => {
      const before = replay(emptyState, transcript.before);
      const after = snapshotOf(replay(emptyState, transcript.after));
      expect(snapshotOf(withLists(replay(before, transcript.events), transcript.after))).toEqual(after);
      // A snapshot that already holds the events is not harmed by them, nor by hearing them twice.
      expect(snapshotOf(replay(before, [...transcript.events, ...transcript.after]))).toEqual(after);
    });
  }

  it("finds a planted difference", () => {
    const [transcript] = transcripts(OWN) as [Transcript];
    const before = replay(emptyState, transcript.before);
    const forgotten = replay(before, transcript.events.slice(0, -2));
    expect(snapshotOf(forgotten)).not.toEqual(snapshotOf(replay(emptyState, transcript.after)));
  });
});

/** Whose signatures count: which key documents are refused, by whoever saw nothing before and by whoever saw or pinned the old keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "../audit_merkle.ts";
import { Audit } from "../transparency/audits.ts";
import { KeyHistory } from "../transparency/cosigners.ts";
import { checkContinues, readAll } from "../transparency/readings.ts";
import type { Source } from "../transparency/sources.ts";
import { readHead, readKeyDocument, readRegistration } from "../transparency/wire.ts";
import {
  type CosignerJson,
  cosigner,
  cosignerSeed,
  endorse,
  headAt,
  headHash,
  honest,
  nameLastHead,
  publicOf,
  replaceKey,
  resign,
  START_S,
  signedBy,
  succeed,
  type View,
} from "./fakeLog.ts";
import { document as documentOf } from "./fakeServer.ts";

/** Reads a whole log as who saw or pinned the keys of another view, or nothing; answers the verdict. */
async function judge(view: View, seen: View | null = null): Promise<string> {
  const document = readKeyDocument(documentOf(view));
  const keys = new KeyHistory(document);
  if (seen) checkContinues({ ...readKeyDocument(documentOf(seen)), head: null }, document, keys, null);
  const source: Source = {
    document: async () => document,
    leaves: async function* () {
      for (const [leaf, one] of view.leaves.entries()) yield readRegistration(one, { leaf });
    },
    heads: async function* () {
      for (const one of view.heads) yield readHead(one, "here");
    },
  };
  return verdict(await readAll(source, new Audit(document.logId, keys), keys), keys);
}

/** An honest log whose `cosigner_1` has another key after the head over 6 leaves. */
function moved(isEndorsed = true): View {
  const view = honest(12);
  replaceKey(view, 1, 6, isEndorsed);
  return view;
}

function entryAt(view: View, index: number): CosignerJson {
  return view.cosigners[index] ?? assert.fail(`no entry ${index}`);
}

const OLD = honest(12);
const WARNING = `; the key of cosigner_1 from ${START_S + 6} on has no word of the key before it; whoever saw the old one is right to be alarmed`;

test("a lost key is no fault for who sees the log first, and an alarm for who saw the old key", async () => {
  assert.ok((await judge(moved(false))).endsWith(`; single-operator log${WARNING}`));
  await assert.rejects(judge(moved(false), OLD), { code: "key_changed" });
  assert.ok((await judge(moved(false), moved(false))).endsWith(WARNING), "who took the new key at first use goes on with it");
  const twice = moved(false);
  replaceKey(twice, 2, 9);
  assert.ok((await judge(twice, moved(false))).endsWith(WARNING));
  await assert.rejects(judge(twice, moved()), { code: "key_changed" }, "a word that was seen is gone");
  assert.ok((await judge(moved())).endsWith("; single-operator log"));
  assert.ok((await judge(moved(), OLD)).endsWith("; single-operator log"));
});

/** Key documents that nobody may believe, whatever he saw: how an honest one with one change of key is edited. */
const MISSHAPEN: readonly (readonly [name: string, code: string, edit: (view: View) => void])[] = [
  [
    "a new key with somebody's word",
    "key_changed",
    (view) => {
      entryAt(view, 3).endorsement = signedBy("somebody", Buffer.from("x"));
    },
  ],
  ["a new key with a word for another time", "key_changed", (view) => moveTo(view, START_S + 7)],
  [
    "a first key with a word",
    "key_changed",
    (view) => {
      entryAt(view, 0).endorsement = entryAt(view, 3).endorsement;
    },
  ],
  ["a key that is its own predecessor", "key_changed", (view) => insertEmpty(view, START_S + 6)],
  ["a key that ends before it counts", "key_changed", (view) => insertEmpty(view, START_S + 5)],
  ["a time with two first keys", "key_changed", (view) => view.cosigners.push(cosigner(0, "x"))],
  [
    "a time with two first keys, one of which ends",
    "key_changed",
    (view) => view.cosigners.unshift({ ...cosigner(0, "x"), until: START_S }),
  ],
  ["a time with two new keys", "key_changed", (view) => view.cosigners.push({ ...entryAt(view, 3), public_key: key("x") })],
  ["an entry twice", "same_cosigner", (view) => view.cosigners.push(entryAt(view, 3))],
  ["an invented cosigner", "bad_policy", (view) => view.cosigners.push(cosigner(3))],
  ["two invented cosigners", "bad_policy", (view) => view.cosigners.push(cosigner(3), cosigner(4))],
  [
    "an invented cosigner in the place of another",
    "bad_policy",
    (view) => {
      view.cosigners[2] = cosigner(3);
    },
  ],
  [
    "a gap between two keys",
    "key_changed",
    (view) => {
      entryAt(view, 1).until = START_S + 5;
    },
  ],
  [
    "two keys that count at once",
    "key_changed",
    (view) => {
      entryAt(view, 1).until = START_S + 7;
    },
  ],
  [
    "a key before one that never ended",
    "key_changed",
    (view) => {
      entryAt(view, 1).until = null;
    },
  ],
  [
    "a cosigner whose last key ended",
    "key_changed",
    (view) => {
      entryAt(view, 2).until = START_S + 60;
    },
  ],
  ["a key that returns", "same_cosigner", (view) => back(view)],
  [
    "a key that another cosigner left",
    "same_cosigner",
    (view) => {
      entryAt(view, 2).public_key = entryAt(view, 1).public_key;
    },
  ],
  [
    "a last head of a key that has not ended",
    "key_changed",
    (view) => {
      entryAt(view, 2).ended_at = { tree_size: 6, head: headHash(headAt(view, 6)).toString("base64") };
    },
  ],
];

function key(seed: string): string {
  return publicOf(seed).toString("base64");
}

function moveTo(view: View, fromS: number): void {
  entryAt(view, 1).until = fromS;
  entryAt(view, 3).from = fromS;
}

/** A key between the two of `cosigner_1` that counts at no time, every word in its place. */
function insertEmpty(view: View, untilS: number): void {
  const empty = { ...cosigner(1, "x"), from: START_S + 6, until: untilS };
  endorse(view, empty, cosignerSeed("cosigner_1"));
  endorse(view, entryAt(view, 3), "x");
  view.cosigners.splice(3, 0, empty);
}

function back(view: View): void {
  succeed(view, 1, START_S + 50, true);
  entryAt(view, 4).public_key = entryAt(view, 1).public_key;
}

for (const [name, code, edit] of MISSHAPEN) {
  test(`${name} is ${code}, at first use and after good keys were seen`, async () => {
    const view = moved();
    edit(view);
    for (const seen of [null, OLD, moved()]) await assert.rejects(judge(view, seen), { code });
  });
}

test("keys put before those that were seen are key_changed", async () => {
  const view = honest(12);
  for (const one of view.cosigners) one.from = START_S - 5;
  const earlier = view.cosigners.map((one, number) => ({ ...cosigner(number, `earlier ${number}`), from: START_S - 9, until: one.from }));
  const before = structuredClone(view);
  view.cosigners.push(...earlier);
  await judge(view);
  await assert.rejects(judge(view, before), { code: "key_changed" });
});

/** As `moved`, and the old key names its last head. */
function ended(): View {
  const view = moved();
  nameLastHead(view, 1, 6);
  return view;
}

test("an ended key counts for no head beyond its last one, whatever the time in it", async () => {
  assert.match(await judge(ended(), OLD), /^honest: 12 leaves/);
  assert.match(await judge(ended(), ended()), /^honest: 12 leaves/);
  const backdated = honest(12);
  for (const head of backdated.heads.slice(6)) head.timestamp = START_S + 5;
  resign(backdated);
  succeed(backdated, 1, START_S + 6, true);
  await judge(backdated);
  nameLastHead(backdated, 1, 6);
  await assert.rejects(judge(backdated), { code: "unknown_cosigner", place: { head: 7 } });
});

test("the last head of an ended key stands in the chain", async () => {
  const other = ended();
  entryAt(other, 1).ended_at = { tree_size: 6, head: headHash(headAt(other, 5)).toString("base64") };
  await assert.rejects(judge(other), { code: "split_view", place: { head: 6 } });
  const atTheEnd = ended();
  atTheEnd.leaves.splice(6);
  atTheEnd.heads.splice(6);
  await judge(atTheEnd);
  entryAt(atTheEnd, 1).ended_at = { tree_size: 6, head: headHash(headAt(atTheEnd, 5)).toString("base64") };
  await assert.rejects(judge(atTheEnd), { code: "split_view", place: { head: 6 } }, "no head comes after it");
  const skipped = moved();
  nameLastHead(skipped, 1, 6);
  skipped.heads.splice(5, 1);
  resign(skipped);
  await assert.rejects(judge(skipped), { code: "split_view", place: { head: 6 } }, "there is no head of that size");
  const short = ended();
  short.leaves.splice(5);
  short.heads.splice(5);
  await assert.rejects(judge(short), { code: "rollback", place: { head: 5 } });
  short.leaves.splice(0);
  short.heads.splice(0);
  await assert.rejects(judge(short), { code: "rollback", place: { head: 0 } });
  const two = ended();
  replaceKey(two, 2, 6);
  nameLastHead(two, 2, 6);
  await judge(two);
  for (const index of [1, 2]) {
    const torn = structuredClone(two);
    entryAt(torn, index).ended_at = { tree_size: 6, head: headHash(headAt(two, 5)).toString("base64") };
    await assert.rejects(judge(torn), { code: "split_view", place: { head: 6 } }, "two keys ended at two heads of one size");
  }
});

test("a last head that was seen neither changes nor vanishes", async () => {
  const later = ended();
  nameLastHead(later, 1, 7);
  for (const now of [later, moved()]) await assert.rejects(judge(now, ended()), { code: "key_changed" });
  await assert.rejects(judge(ended(), moved()), { code: "key_changed" }, "nor does it come after the key had ended without one");
});

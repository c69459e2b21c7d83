/**
 * Registers two ids with a log, for trying it out.
 *
 * Their keys are made from the fixed words below, so everybody knows their secret halves: they are for a log that is empty, never for
 * somebody who exists. That they are fixed makes this idempotent: a second run finds its own leaves.
 */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CheckFailed, isProgram, readArguments, readLimits, readUrl, runProgram, UsageError } from "./settings.ts";
import { isRecord, isWhole, sha256 } from "./transparency/bytes.ts";
import { Fault } from "./transparency/faults.ts";
import { Deadline, Http } from "./transparency/http.ts";

const USAGE = `node scripts/seed_two_dids.ts URL

Registers did:nexo:seed-1 and did:nexo:seed-2 with the log at URL. A second run changes nothing.
Exit code: 0 both stand in the log, 1 it answered wrongly, 2 wrong call, 8 no answer in time.`;

/** What precedes a 32-byte seed in a PKCS #8 key. Source: RFC 8410 section 7. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** One of the two. */
export interface Seeded {
  readonly id: string;
  readonly leafIndex: number;
  readonly isNew: boolean;
}

/** Registers both, no faster than the server allows. */
export async function seedTwo(http: Http, nowS: number, rateLimitRps: number): Promise<Seeded[]> {
  const seeded: Seeded[] = [];
  for (const number of [1, 2]) {
    if (seeded.length > 0) await sleep(1_000 / rateLimitRps);
    seeded.push(await register(http, `did:nexo:seed-${number}`, publicKey(number), nowS));
  }
  return seeded;
}

async function register(http: Http, id: string, key: Buffer, nowS: number): Promise<Seeded> {
  const { status, body } = await http.request("POST", "/did/register", { id, public_key: key.toString("base64"), timestamp: nowS });
  if ((status !== 201 && status !== 200) || !isRecord(body)) {
    throw new CheckFailed("seed", `the registration of ${id} was answered ${status} ${JSON.stringify(body).slice(0, 200)}`);
  }
  const { leaf_index, tree_size, sth } = body;
  if (!isWhole(leaf_index) || !isWhole(tree_size) || !isRecord(sth) || !isWhole(sth.tree_size) || sth.tree_size <= leaf_index) {
    throw new Fault("unreadable", `the registration of ${id} was answered without a leaf and a head over it`);
  }
  return { id, leafIndex: leaf_index, isNew: status === 201 };
}

function publicKey(number: number): Buffer {
  const seed = sha256(Buffer.from(`nexus: a key for trying things out, number ${number}`));
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}

if (isProgram(import.meta.url)) {
  await runProgram(USAGE, async (given) => {
    const [address, ...more] = readArguments(given, []).alone;
    if (!address || more.length > 0) throw new UsageError("one address is needed");
    const limits = readLimits();
    const http = new Http(readUrl(address), new Deadline(limits.smokeTimeoutMs));
    for (const { id, leafIndex, isNew } of await seedTwo(http, Math.floor(Date.now() / 1_000), limits.rateLimitRps)) {
      console.log(`ok   seed: ${id} ${isNew ? "is now" : "was already"} leaf ${leafIndex}`);
    }
  });
}

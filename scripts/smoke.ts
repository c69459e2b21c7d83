/**
 * Is a deployed log honest, and does its relay work? Written from the contract alone: nothing of the server's own code is used.
 * One line for each check; the first fault ends the run.
 */
import { checkProofs, verdict } from "./audit_merkle.ts";
import { checkRelay } from "./relay.ts";
import { seedTwo } from "./seed_two_dids.ts";
import { CheckFailed, isProgram, type Limits, readArguments, readLimits, readUrl, runProgram, UsageError } from "./settings.ts";
import { Audit } from "./transparency/audits.ts";
import { isRecord, isWhole } from "./transparency/bytes.ts";
import { KeyHistory } from "./transparency/cosigners.ts";
import { Fault } from "./transparency/faults.ts";
import { Deadline, Http } from "./transparency/http.ts";
import { checkConsistency, checkContinues, checkHolds, readAll, readSeen, writeSeen } from "./transparency/readings.ts";
import { documentOf, latestOf, ServerLog } from "./transparency/sources.ts";
import type { Head } from "./transparency/wire.ts";

const USAGE = `scripts/smoke.sh [URL] [--state FILE]

Checks the log and the relay at URL (http://127.0.0.1:8080): health, two seeded ids if the log is empty, the chain with its links and
signatures, every root from its leaves, proofs, and an encrypted round trip over the relay. --state keeps what was seen, so that the
next run notices a rollback or a split view. Limits come from scripts/limits.env; the environment overrides them.
Exit code: 0 all is well, 1 it is not (the line says what and where), 2 wrong call, 8 no answer in time.`;

const URL_DEFAULT = "http://127.0.0.1:8080";
const PROOFS = 16;

/** All checks, in order; `say` gets one line for each that holds. */
export async function smoke(http: Http, limits: Limits, state: string | null, say: (line: string) => void): Promise<void> {
  say(`health: ${await checkHealth(http)}`);
  const seen = state === null ? null : await readSeen(state);
  const document = await documentOf(http);
  const keys = new KeyHistory(document);
  say(`keys: ${document.keys.length} of three cosigners, ${keys.statement()}`);
  const shown = await latestOf(http);
  // Before anything is seeded: a log that was emptied is no empty log.
  if (seen) checkContinues(seen, document, keys, shown);
  const latest = shown ?? (await seeded(http, limits, say));
  if (seen) {
    if (seen.head) await checkConsistency(http, { size: seen.head.treeSize, root: seen.head.root }, latest);
    say(`since: the log goes on from head ${seen.head?.treeSize ?? 0}, which was seen before`);
  }
  const reading = await readAll(new ServerLog(http, latest), new Audit(document.logId, keys), keys);
  if (seen?.head) checkHolds(seen.head, reading);
  say(`log: ${verdict(reading, keys)}`);
  say(`proofs: ${await checkProofs(http, reading, latest, PROOFS)} of each kind lead to the signed root`);
  if (state !== null) await writeSeen(state, document, latest);
  await checkRelay(http, limits.maxWsPayloadBytes);
  say(`relay: an encrypted round trip, ${limits.maxWsPayloadBytes} bytes unchanged, one more refused`);
}

async function checkHealth(http: Http): Promise<string> {
  const body = await http.json("/health");
  if (!isRecord(body) || body.status !== "healthy") throw new CheckFailed("health", `it says ${JSON.stringify(body).slice(0, 200)}`);
  const { timestamp, users_count, sth_count } = body;
  if (![timestamp, users_count, sth_count].every(isWhole)) {
    throw new CheckFailed(
      "health",
      `timestamp, users_count and sth_count are not all whole numbers: ${JSON.stringify(body).slice(0, 200)}`,
    );
  }
  return `${users_count} users, ${sth_count} heads`;
}

/** Fills an empty log and answers its first head. */
async function seeded(http: Http, limits: Limits, say: (line: string) => void): Promise<Head> {
  const two = await seedTwo(http, Math.floor(Date.now() / 1_000), limits.rateLimitRps);
  say(`seed: the log was empty; ${two.map((one) => one.id).join(" and ")} stand in it now`);
  const first = await latestOf(http);
  if (!first) throw new Fault("stale_head", "two registrations were answered, and there is still no head");
  return first;
}

if (isProgram(import.meta.url)) {
  await runProgram(USAGE, async (given) => {
    const { named, alone } = readArguments(given, ["--state"]);
    if (alone.length > 1) throw new UsageError("one address is enough");
    const limits = readLimits();
    const http = new Http(readUrl(alone[0] ?? URL_DEFAULT), new Deadline(limits.smokeTimeoutMs));
    await smoke(http, limits, named.get("--state") ?? null, (line) => console.log(`ok   ${line}`));
  });
}

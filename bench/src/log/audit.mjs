// Audits a log with the verifier that the web client ships, as its worker does: page by page. Prints what it found, and how much
// processor time and how much time the calls into WebAssembly took, as JSON. The bench puts this file beside `verifier.mjs`,
// `audit.wasm` and `pages` (see files.rs).

import { openSync, readFileSync, readSync } from "node:fs";
import { Audit, initSync } from "./verifier.mjs";

const file = (name) => new URL(name, import.meta.url);
const { memory } = initSync({ module: readFileSync(file("audit.wasm")) });
const pages = openSync(file("pages"), "r");

/** The next answer: its length as 4 bytes little-endian, then its bytes. Nothing at the end. */
function next() {
  const length = Buffer.alloc(4);
  if (readSync(pages, length) === 0) {
    return undefined;
  }
  const answer = Buffer.allocUnsafe(length.readUInt32LE());
  for (let at = 0; at < answer.length; ) {
    at += readSync(pages, answer, { offset: at });
  }
  return answer;
}

/** Does some work, and adds the seconds that it took, and the processor time of this process, to what was spent before. */
function spend(spent, work) {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  work();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: spent.seconds + (performance.now() - began) / 1_000, cpu_s: spent.cpu_s + (user + system) / 1_000_000 };
}

const nothing = { seconds: 0, cpu_s: 0 };
const audit = Audit.begin(next(), Number(process.argv[2]));
audit.latest(next());
let audited = nothing;
for (let leaves = next(); leaves; leaves = next()) {
  const heads = next();
  audited = spend(audited, () => audit.page(leaves, heads));
}
const signed = audit.unchecked();
const signatures = spend(nothing, () => audit.check_signatures(signed));
audited = spend(audited, () => audit.finish());
const found = { leaves: audit.size(), heads: audit.heads(), root: audit.root(), memory_bytes: memory.buffer.byteLength };
console.log(JSON.stringify({ ...found, signed, audited, signatures }));

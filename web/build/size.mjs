/**
 * Weighs what a first visit downloads and fails above the budget (clients' table: channel view 240 KB, login 120 KB, styles 20 KB).
 * gzip level 9, from Vite's manifest: an entry with everything it imports statically.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";

const DIST = path.join(import.meta.dirname, "../dist");
const KB = 1000;
const PAGES = [
  {
    name: "channel view",
    entries: ["index.html", "src/app/Shell.tsx", "src/features/channels/ChannelPage.tsx", "../sdk/typescript/src/client.ts"],
    scriptsMax: 240 * KB,
  },
  { name: "login", entries: ["index.html", "src/features/logins/LoginPage.tsx"], scriptsMax: 120 * KB },
  { name: "invite", entries: ["index.html", "src/features/invites/InvitePage.tsx"], scriptsMax: 120 * KB },
];
const STYLES_MAX = 20 * KB;

const manifest = JSON.parse(await readFile(path.join(DIST, ".vite/manifest.json"), "utf8"));

/** Every script and style that an entry loads before it runs. */
function filesOf(entries) {
  const scripts = new Set();
  const styles = new Set();
  const visit = (name) => {
    const chunk = manifest[name];
    if (!chunk) throw new Error(`The build has no entry ${name}.`);
    if (scripts.has(chunk.file)) return;
    scripts.add(chunk.file);
    for (const style of chunk.css ?? []) styles.add(style);
    for (const imported of chunk.imports ?? []) visit(imported);
  };
  entries.forEach(visit);
  return { scripts, styles };
}

async function weigh(files) {
  let bytes = 0;
  for (const file of files) bytes += gzipSync(await readFile(path.join(DIST, file)), { level: 9 }).length;
  return bytes;
}

let tooHeavy = false;
for (const page of PAGES) {
  const { scripts, styles } = filesOf(page.entries);
  const script = await weigh(scripts);
  const style = await weigh(styles);
  const over = script > page.scriptsMax || style > STYLES_MAX;
  tooHeavy ||= over;
  const figures = `scripts ${(script / KB).toFixed(1)} of ${page.scriptsMax / KB} KB, styles ${(style / KB).toFixed(1)} of ${STYLES_MAX / KB} KB`;
  console.log(`${over ? "TOO HEAVY" : "ok"}  ${page.name}: ${figures} (gzip)`);
}
process.exitCode = tooHeavy ? 1 : 0;

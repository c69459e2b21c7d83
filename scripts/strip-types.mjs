/**
 * Lets an older Node run the TypeScript of this folder: `node --import ./scripts/strip-types.mjs scripts/smoke.ts`.
 *
 * Node 22.18 and newer strip types themselves, and this does nothing there. Node 22.13 and newer have the function but not yet the habit.
 * Node 20 has neither; there the types are stripped by oxc, which comes with the Vite of this workspace (`npm ci`). The TypeScript
 * here is erasable (`erasableSyntaxOnly`): stripped of types, the same program is left.
 */
import { readFile } from "node:fs/promises";
import * as nodeModule from "node:module";
import { isMainThread } from "node:worker_threads";

// A module that hooks are registered from runs twice: once in the program's thread, once in the hooks' own.
if (isMainThread && !process.features.typescript) nodeModule.register(import.meta.url);

export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const source = await readFile(new URL(url), "utf8");
  return { format: "module", shortCircuit: true, source: await strip(url, source) };
}

async function strip(url, source) {
  if (nodeModule.stripTypeScriptTypes) return nodeModule.stripTypeScriptTypes(source);
  const { transformWithOxc } = await import("vite").catch(() => {
    throw new Error(`Node ${process.versions.node} cannot run TypeScript by itself: use Node 22.18 or newer, or run \`npm ci\` first`);
  });
  return (await transformWithOxc(source, url, { lang: "ts", sourcemap: false })).code;
}

/** Writes a `.br` file beside every built file that packs well, so that the server need not compress. `index.html` is changed per answer and left out. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import type { Plugin } from "vite";

const COMPRESSED = new Set([".js", ".css", ".svg", ".html", ".wasm", ".webmanifest"]);
const compress = promisify(brotliCompress);

export function brotli(): Plugin {
  let folder = "";
  return {
    name: "nexus-brotli",
    apply: "build",
    configResolved(config) {
      folder = path.resolve(config.root, config.build.outDir);
    },
    async closeBundle() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      for (const entry of entries) {
        if (!entry.isFile() || entry.name === "index.html" || !COMPRESSED.has(path.extname(entry.name))) continue;
        const file = path.join(entry.parentPath, entry.name);
        const packed = await compress(await readFile(file), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        await writeFile(`${file}.br`, packed);
      }
    },
  };
}

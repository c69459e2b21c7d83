/** Starts the programs of this folder as a person would. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** A `.ts` program by this very Node, a `.sh` program by itself. */
export function run(program: string, given: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  if (program.endsWith(".sh")) return execute(here(program), given, environment);
  return execute(process.execPath, ["--import", here("strip-types.mjs"), here(program), ...given], environment);
}

/** A Python program, by `NEXUS_PYTHON` or the one in the path. */
export function runPython(program: string, given: readonly string[]): Promise<Ended> {
  return execute(process.env.NEXUS_PYTHON || "python3", [here(program), ...given], {});
}

function here(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

/** Any program, to its end. */
export function execute(command: string, words: readonly string[], environment: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn(command, words, { env: { ...process.env, ...environment } });
  const text = { out: "", error: "" };
  child.stdout.on("data", (chunk) => {
    text.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    text.error += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...text }));
  });
}

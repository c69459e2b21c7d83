// @vitest-environment node
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { curlOf } from "../../src/features/hub/curl.ts";
import { type JsonObject, parseExact } from "../../src/features/hub/exactJson.ts";

const SECRET = "a secret of at least 32 characters, $HOME `id`";

/** Runs the command in a shell whose `curl` writes down what it was given. */
function runs(command: string): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "nexus-curl-"));
  try {
    const log = path.join(folder, "log");
    writeFileSync(path.join(folder, "curl"), `#!/bin/sh\nprintf '%s\\0' "$@" > ${log}\n`, { mode: 0o755 });
    execFileSync("/bin/sh", ["-c", command], { env: { ...process.env, PATH: `${folder}:${process.env.PATH}`, NEXUS_SECRET: SECRET } });
    return readFileSync(log, "utf8").split("\0").slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the command sends the same event, signed with the secret of the shell", () => {
  const text = '{"note":"it\'s $HOME `id` \\"quoted\\"","amount":15.00}';
  const { payload } = parseExact(`{"payload":${text}}`) as { payload: JsonObject };
  const command = curlOf({ event: "FLOWPAY:PAYMENT_RECEIVED", payload, source: "shop" }, "https://hub.example.org");
  expect(command).not.toContain(SECRET);

  const given = runs(command);
  const body = given[given.indexOf("--data-binary") + 1];
  expect(body).toBe(`{"event":"FLOWPAY:PAYMENT_RECEIVED","payload":${text}}`);
  expect(given).toContain("https://hub.example.org/events");
  expect(given).toContain("X-Nexus-Source: shop");
  const header = (name: string) => given.find((word) => word.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
  const time = header("X-Nexus-Timestamp");
  expect(Math.abs(Number(time) - Date.now() / 1_000)).toBeLessThan(60);
  expect(header("X-Nexus-Signature")).toBe(createHmac("sha256", SECRET).update(`${time}.${body}`).digest("hex"));
});

test("the source of NEXUS_SECRET is not named", () => {
  expect(curlOf({ event: "GAUGE:READING", payload: {}, source: "default" }, "https://hub.example.org")).not.toContain("X-Nexus-Source");
});

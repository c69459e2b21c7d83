/** The key log as anybody sees it: registering, checking, and an operator who cheats in every way that we know. */
import { type BrowserContext, expect, type Page } from "@playwright/test";
import { test as base } from "./fixtures.ts";
import type { Instance } from "./instance.ts";
import { type Head, KeyLog, type Leaf, Pair, rotationMessage } from "./keyLog.ts";
import { type Alter, Middle } from "./middle.ts";

interface Fixtures {
  /** Stands between every browser of these tests and the instance. */
  readonly middle: Middle;
  /** A browser that fails the test if its console holds an error. */
  readonly visitor: (options?: { colorScheme?: "light" | "dark" }) => Promise<{ page: Page; context: BrowserContext }>;
}

const test = base.extend<Fixtures>({
  middle: async ({ instance }, use) => {
    const middle = await Middle.stand(() => instance.port);
    await use(middle);
    await middle.leave();
  },
  visitor: async ({ browser, middle }, use) => {
    const open: BrowserContext[] = [];
    const broken: string[] = [];
    await use(async (options = {}) => {
      const context = await browser.newContext({ baseURL: middle.origin, ...options });
      open.push(context);
      const page = await context.newPage();
      page.on("pageerror", (error) => broken.push(`page error: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error") broken.push(message.text());
      });
      return { page, context };
    });
    for (const context of open) await context.close();
    if (broken.length > 0) throw new Error(`The console is not clean:\n${broken.join("\n")}`);
  },
});

const CONSISTENT = "The log is consistent.";

async function register(instance: Instance, id: string, pair: Pair, timestamp: number, rotation?: Leaf["rotation"]): Promise<void> {
  const response = await fetch(`${instance.origin}/did/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, public_key: pair.text, timestamp, ...(rotation ? { rotation } : {}) }),
  });
  if (response.status !== 201) throw new Error(`Registering ${id} answered ${response.status}: ${await response.text()}`);
}

/** Fills the instance's log with people, and one who changes the key. */
async function fill(instance: Instance, count: number): Promise<void> {
  const now = Math.floor(Date.now() / 1_000) - 1_000;
  for (let index = 0; index < count; index++) await register(instance, `did:example:${index}`, Pair.named(`${index}`), now + index);
}

async function rotate(instance: Instance, id: string, from: Pair, to: Pair, before: number, timestamp: number): Promise<void> {
  const document = (await (await fetch(`${instance.origin}/.well-known/key-transparency`)).json()) as { log_id: string };
  const leaf = (pair: Pair, time: number): Leaf => ({ leaf_index: 0, id, public_key: pair.text, timestamp: time });
  const message = rotationMessage(document.log_id, leaf(from, before), leaf(to, timestamp));
  await register(instance, id, to, timestamp, { old: from.sign(message), new: to.sign(message) });
}

async function check(page: Page): Promise<void> {
  await page.goto("/audit");
  await expect(page.getByRole("heading", { level: 1, name: CONSISTENT })).toBeVisible();
}

/** The page accuses the log of exactly this, and says where. */
async function accuses(page: Page, code: string, place: string | null, words: RegExp): Promise<void> {
  const report = page.locator("#verdict [data-fault]");
  await expect(report).toHaveAttribute("data-fault", code);
  await expect(report.getByRole("heading", { level: 1 })).toHaveText(words);
  if (place) await expect(report).toContainText(place);
  await expect(report).toContainText(code);
  await expect(report).toContainText("What to do");
  await expect(page.getByText(CONSISTENT)).toBeHidden();
}

test("registers a key, finds the log good, proves the entry, and knows the log again", async ({ visitor }) => {
  const { page } = await visitor();
  await page.goto("/audit");
  await expect(page.getByRole("heading", { name: "The log is empty." })).toBeVisible();
  await page.getByLabel("Id to register").fill("did:example:mika");
  await page.getByRole("button", { name: "Make a key and register it" }).click();
  await expect(page.getByRole("heading", { name: CONSISTENT })).toBeVisible();
  await expect(page.getByText("Registered as entry 0.")).toBeVisible();
  await expect(page.getByText("Single-operator log.")).toBeVisible();
  await expect(page.getByText("It had not seen this log before")).toBeVisible();
  for (const cosigner of ["cosigner_0", "cosigner_1", "cosigner_2"]) {
    await expect(page.getByRole("article").filter({ hasText: cosigner })).toContainText("Signed 1");
  }

  await page.getByRole("button", { name: "Change its key, did:example:mika" }).click();
  await expect(page.getByText("The key of did:example:mika was changed, as entry 1.")).toBeVisible();
  await expect(page.getByRole("heading", { name: CONSISTENT })).toBeVisible();
  await page.getByRole("button", { name: "Look up did:example:mika" }).click();
  await expect(page.getByText("Proven: 1 hash leads to the signed root of 2")).toBeVisible();
  await expect(page.getByText("Key changed, signed by both keys")).toBeVisible();

  await page.reload();
  await expect(page.getByText("Nothing was added, removed or changed since this browser last saw the log")).toBeVisible();
  // The key is still this browser's, and still in the log.
  await expect(page.getByRole("list", { name: "Keys of this browser" })).toContainText("did:example:mika");
});

test("a log that grew goes on from what was seen", async ({ instance, visitor }) => {
  await fill(instance, 5);
  const { page } = await visitor();
  await check(page);
  const now = Math.floor(Date.now() / 1_000);
  for (const name of ["noor", "wren", "pim"]) await register(instance, `did:example:${name}`, Pair.named(name), now);
  await page.reload();
  await expect(page.getByText("3 entries were added since its last visit")).toBeVisible();
  await page.getByLabel("Identity", { exact: true }).fill("did:example:noor");
  await page.getByRole("button", { name: "Look up", exact: true }).click();
  await expect(page.getByText("Proven: 3 hashes lead to the signed root of 8")).toBeVisible();
  await page.getByLabel("Identity", { exact: true }).fill("did:example:nobody");
  await page.getByRole("button", { name: "Look up", exact: true }).click();
  await expect(page.getByText("did:example:nobody is not among the 8 entries of this check.")).toBeVisible();
});

const chain = (size: number, change: (head: Head) => unknown): Alter => {
  return (path, body: Head[]) => {
    if (path === "/sth/chain") for (const head of body) if (head.tree_size === size) change(head);
    return body;
  };
};

interface Cheat {
  readonly name: string;
  readonly code: string;
  readonly place: string;
  readonly words: RegExp;
  readonly alter: Alter;
}

const other = Buffer.alloc(32, 7).toString("base64");
const CHEATS: readonly Cheat[] = [
  {
    name: "holds back an entry",
    code: "missing_leaf",
    place: "Entry 6",
    words: /holds back an entry/,
    alter: (path, body: Leaf[]) => (path === "/did/leaves" ? body.filter((leaf) => leaf.leaf_index !== 6) : body),
  },
  {
    name: "edits a link",
    code: "broken_link",
    place: "Tree head 9",
    words: /chain of tree heads is broken/,
    alter: chain(9, (head) => Object.assign(head, { prev_hash: other })),
  },
  {
    name: "has one signature",
    code: "too_few_signatures",
    place: "Tree head 8",
    words: /Too few cosigners/,
    alter: chain(8, (head) => head.signatures.splice(1)),
  },
  {
    name: "lets one cosigner sign twice",
    code: "same_cosigner",
    place: "Tree head 7",
    words: /One cosigner signed twice/,
    alter: chain(7, (head) => head.signatures.splice(1, 2, ...head.signatures.slice(0, 1))),
  },
  {
    name: "forges a signature",
    code: "bad_signature",
    place: "Tree head 7",
    words: /A signature is not valid/,
    alter: chain(7, (head) => Object.assign(head.signatures[1] ?? {}, { sig: head.signatures[0]?.sig })),
  },
  {
    name: "lowers the policy to one of three",
    code: "bad_policy",
    place: "Tree head 5",
    words: /asks for too few signatures/,
    alter: chain(5, (head) => Object.assign(head.policy, { t: 1 })),
  },
  {
    name: "shows another root for a size",
    code: "two_roots",
    place: "Tree head 4",
    words: /contradicts itself/,
    alter: (path, body: Head[]) =>
      path === "/sth/chain" ? body.flatMap((head) => (head.tree_size === 4 ? [{ ...head, root: other }, head] : [head])) : body,
  },
  {
    name: "edits a root",
    code: "root_mismatch",
    place: "Tree head 4",
    words: /not those that were signed/,
    alter: chain(4, (head) => Object.assign(head, { root: other })),
  },
];

test.describe("an operator who", () => {
  for (const { name, code, place, words, alter } of CHEATS) {
    test(name, async ({ instance, middle, visitor }) => {
      await fill(instance, 12);
      middle.alter = alter;
      const { page } = await visitor();
      await page.goto("/audit");
      await accuses(page, code, place, words);
      // Nothing of it is remembered as good.
      await expect(page.getByText("Nothing yet. After the first good check")).toBeVisible();
      middle.alter = null;
      await page.getByRole("button", { name: "Check again" }).click();
      await expect(page.getByRole("heading", { name: CONSISTENT })).toBeVisible();
    });
  }

  test("shows an old head as the latest", async ({ instance, middle, visitor }) => {
    await fill(instance, 12);
    const heads = (await (await fetch(`${instance.origin}/sth/chain?limit=12`)).json()) as Head[];
    middle.alter = (path, body) => (path === "/sth/latest" ? heads[2] : body);
    const { page } = await visitor();
    await page.goto("/audit");
    await accuses(page, "stale_head", "Tree head 10", /shows an old tree head/);
  });

  test("takes entries back", async ({ instance, middle, visitor }) => {
    await fill(instance, 12);
    const heads = (await (await fetch(`${instance.origin}/sth/chain?limit=12`)).json()) as Head[];
    const { page } = await visitor();
    await check(page);
    // The log of yesterday, flawless in itself.
    middle.alter = (path, body: never, query) => {
      if (path === "/sth/latest") return heads[2];
      const list = body as { tree_size?: number; leaf_index?: number }[];
      if (path === "/sth/chain") return query.get("limit") === "1" ? [heads[2]] : list.filter((head) => (head.tree_size ?? 0) <= 10);
      if (path === "/did/leaves") return list.filter((leaf) => (leaf.leaf_index ?? 0) < 10);
      return body;
    };
    await page.reload();
    await accuses(page, "rollback", "Tree head 10", /lost entries/);
    await expect(page.getByText("12 entries")).toBeVisible();
    await expect(page.getByText("10 entries")).toBeVisible();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save the evidence" }).click();
    expect((await download).suggestedFilename()).toBe("nexus-log-evidence.json");
    // Forgetting takes an answer to a question, and then starts from the log as it is.
    await page.getByRole("alert").getByRole("button", { name: "Forget and trust anew" }).click();
    await page.getByRole("button", { name: "Forget and check again" }).click();
    await expect(page.getByRole("heading", { name: CONSISTENT })).toBeVisible();
    await expect(page.getByText("It had not seen this log before")).toBeVisible();
  });

  test("shows different people different logs", async ({ middle, visitor }) => {
    const now = Math.floor(Date.now() / 1_000);
    const log = new KeyLog("split", now - 10_000);
    log.grow(30);
    middle.log = log;
    const { page } = await visitor();
    await check(page);
    for (const size of [30, 45]) {
      middle.log = new KeyLog("split", now - 20_000);
      middle.log.grow(size);
      await page.reload();
      await accuses(page, "split_view", `Tree head ${size}`, /another log than you saw before/);
    }
    // Somebody who comes for the first time can't know.
    const fresh = await visitor();
    await check(fresh.page);
    middle.log = new KeyLog("begun anew", now - 20_000);
    middle.log.grow(5);
    await page.reload();
    await accuses(page, "wrong_log", null, /different log/);
  });

  test("changes a cosigner's key", async ({ instance, middle, visitor }) => {
    await fill(instance, 3);
    const { page } = await visitor();
    await check(page);
    middle.alter = (path, body: KeyLog["document"]) => {
      if (path === "/.well-known/key-transparency" && body.cosigners[2]) body.cosigners[2].public_key = Pair.named("thief").text;
      return body;
    };
    await page.reload();
    await accuses(page, "key_changed", "cosigner_2", /key changed without its word/);
  });

  test("replays a change of key", async ({ instance, middle, visitor }) => {
    const now = Math.floor(Date.now() / 1_000) - 100;
    const [first, second, third] = [Pair.named("first"), Pair.named("second"), Pair.named("third")];
    await register(instance, "did:example:mika", first, now);
    await rotate(instance, "did:example:mika", first, second, now, now + 1);
    await rotate(instance, "did:example:mika", second, third, now + 1, now + 2);
    const { page } = await visitor();
    await check(page);
    // The signatures of the first change, under the second.
    middle.alter = (path, body: Leaf[]) => {
      if (path === "/did/leaves" && body[1]?.rotation && body[2]) body[2].rotation = body[1].rotation;
      return body;
    };
    await page.reload();
    await accuses(page, "rotation_invalid", "Entry 2", /forged or copied/);
  });

  test("passes an inner node off as an entry", async ({ instance, middle, visitor }) => {
    await fill(instance, 12);
    const { page } = await visitor();
    await check(page);
    const look = async () => {
      await page.getByLabel("Identity", { exact: true }).fill("did:example:3");
      await page.getByRole("button", { name: "Look up", exact: true }).click();
    };
    const bad = page.locator("#identity [data-fault]");
    // 24 bytes of id, 32 of key and 8 of time are the 64 bytes of an inner node: here that of entries 2 and 3.
    const proof = (await (await fetch(`${instance.origin}/sth/proof/inclusion?leaf_index=3&tree_size=12`)).json()) as {
      leaf_hash: string;
      path: string[];
    };
    const node = Buffer.concat([Buffer.from(proof.path[0] ?? "", "base64"), Buffer.from(proof.leaf_hash, "base64")]);
    middle.alter = (path, body: object) => {
      if (path === "/did/did%3Aexample%3A3" || path === "/did/did:example:3") {
        return {
          ...body,
          id: node.subarray(0, 24).toString("latin1"),
          public_key: node.subarray(24, 56).toString("base64"),
          timestamp: Number(node.readBigUInt64BE(56) % 2n ** 53n),
        };
      }
      if (path === "/sth/proof/inclusion") return { ...body, path: proof.path.slice(1) };
      return body;
    };
    await look();
    await expect(bad).toHaveAttribute("data-fault", "bad_registration");
    // A path that ends at an inner node is one too short for the size that was signed.
    middle.alter = (path, body: object) => (path === "/sth/proof/inclusion" ? { ...body, path: proof.path.slice(1) } : body);
    await look();
    await expect(bad).toHaveAttribute("data-fault", "bad_inclusion");
    await expect(bad).toContainText("Entry 3");
    middle.alter = null;
    await look();
    await expect(page.getByText("Proven: 4 hashes lead to the signed root of 12")).toBeVisible();
  });

  test("hides that somebody changed the key", async ({ instance, middle, visitor }) => {
    const now = Math.floor(Date.now() / 1_000) - 100;
    const [first, second] = [Pair.named("first"), Pair.named("second")];
    await register(instance, "did:example:mika", first, now);
    const old = (await (await fetch(`${instance.origin}/did/did:example:mika`)).json()) as Leaf;
    await rotate(instance, "did:example:mika", first, second, now, now + 1);
    middle.alter = (path, body) => (/^\/did\/did.*mika$/.test(path) ? old : body);
    const { page } = await visitor();
    await check(page);
    await page.getByLabel("Identity", { exact: true }).fill("did:example:mika");
    await page.getByRole("button", { name: "Look up", exact: true }).click();
    await expect(page.locator("#identity [data-fault]")).toContainText("entry 1 came later");
  });

  test("does not answer", async ({ browser, instance, middle }) => {
    await fill(instance, 3);
    // The browser writes failed requests to its console, so this visitor's is not watched.
    const context = await browser.newContext({ baseURL: middle.origin });
    const page = await context.newPage();
    await context.route("**/did/leaves**", (route) => route.abort());
    await page.goto("/audit");
    await accuses(page, "unreachable", null, /did not answer/);
    await context.unroute("**/did/leaves**");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("heading", { name: CONSISTENT })).toBeVisible();
    await context.close();
  });
});

/** A part of Chromium's trace: durations in microseconds, `tdur` without the time in which others had the processor. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/** The longest time, in milliseconds, that the page's own thread was busy without a pause while something was done. */
async function busiest(page: Page, work: () => Promise<void>): Promise<number> {
  const browser = page.context().browser();
  if (!browser) throw new Error("There is no browser to trace.");
  await browser.startTracing(page, { categories: ["toplevel"] });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: readonly TraceEvent[] };
  const named = traceEvents.filter((event) => event.name === "thread_name" && event.args.name === "CrRendererMain");
  const main = new Set(named.map((event) => `${event.pid} ${event.tid}`));
  const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && main.has(`${event.pid} ${event.tid}`));
  expect(tasks.length).toBeGreaterThan(0);
  return Math.max(...tasks.map((task) => task.tdur ?? 0)) / 1_000;
}

test("a large log is checked when asked, can be stopped, and is explored by keyboard", async ({ middle, visitor }) => {
  const log = new KeyLog("large", Math.floor(Date.now() / 1_000) - 12_000 * 60);
  log.grow(12_000, [0, 1]);
  middle.log = log;
  const { page } = await visitor();
  await page.goto("/audit");
  await expect(page.getByText("This log has 12,000 entries.")).toBeVisible();
  middle.delayMs = 150;
  await page.getByRole("button", { name: "Check the log" }).click();
  await expect(page.getByText(/Recomputing entry [1-9],000 of 12,000/)).toBeVisible();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("heading", { name: "Stopped, nothing was decided." })).toBeVisible();
  middle.delayMs = 0;
  const longest = await busiest(page, async () => {
    await page.getByRole("button", { name: "Check again" }).click();
    await expect(page.getByText("Ends at the signed root")).toBeVisible({ timeout: 60_000 });
  });
  expect(longest).toBeLessThan(50);
  await expect(page.getByRole("heading", { name: CONSISTENT })).toBeVisible();
  await expect(page.getByText("Signatures were checked of the newest 10,000 tree heads")).toBeVisible();
  await expect(page.getByRole("article").filter({ hasText: "cosigner_2" })).toContainText("Did not sign 12,000");

  // Down from the root by keyboard alone.
  await page.getByRole("button", { name: "Whole tree" }).click();
  const root = page.getByRole("button", { name: /^Entries 0 to 11,999/ });
  await root.focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("button", { name: /^Entries 0 to 8,191/ })).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("button", { name: /^Entries 8,192 to 11,999/ })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("button", { name: /^Entries 8,192 to 10,239/ })).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await expect(root).toBeFocused();

  // The list holds few rows at a time, and an entry chosen in it comes into the picture.
  expect(await page.locator("#log tbody tr").count()).toBeLessThan(40);
  await page.getByLabel("Part of an id, or an entry’s number").fill("4711");
  await page.getByRole("button", { name: "Entry 4,711, did:example:4711" }).click();
  await expect(page.getByRole("heading", { name: "Proof of entry 4,711" })).toBeVisible();
  await expect(page.getByText("Ends at the signed root")).toBeVisible();
  await expect(page.getByRole("button", { name: /^Entry 4,711, hash/ })).toHaveAttribute("aria-pressed", "true");

  await page.getByLabel("Check every signature").check();
  await page.getByRole("button", { name: "Check again" }).click();
  await expect(page.getByText("The signatures of all 12,000 tree heads were checked.")).toBeVisible({ timeout: 60_000 });
});

test("the admin page tells how the log does", async ({ instance, visitor }) => {
  const { page } = await visitor();
  await page.goto("/admin");
  await expect(page.getByText("There is no tree head yet.")).toBeVisible();
  await expect(page.getByText("No registration in this time.").first()).toBeVisible();
  await fill(instance, 7);
  await expect(page.getByRole("img", { name: /From 0 to 7 entries/ })).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: "cosigner_1" })).toContainText("Healthy");
  await page.getByText("As a table").click();
  await expect(page.getByRole("cell", { name: "7", exact: true }).first()).toBeVisible();
  await page.getByLabel("Part of a name").fill("sth_count");
  await expect(page.getByRole("row").filter({ hasText: "sth_count" })).toContainText("7");
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("button", { name: "Go on" })).toBeVisible();
});

test("the admin page says what closed metrics need", async ({ browser, middle }) => {
  const context = await browser.newContext({ baseURL: middle.origin });
  const page = await context.newPage();
  let asked = 0;
  await context.route("**/metrics", (route) => {
    asked += 1;
    return route.fulfill({ status: 401, json: { detail: "no" } });
  });
  await page.goto("/admin");
  await expect(page.getByText("Metrics are closed from here")).toBeVisible();
  await page.waitForTimeout(6_000);
  expect(asked).toBe(1);
  await context.close();
});

test("the pages are found from the login page and from the rail", async ({ person }) => {
  const { page } = await person();
  await page.goto("/login");
  await page.getByRole("link", { name: "Check its key log" }).click();
  await expect(page).toHaveURL(/\/audit$/);
  await page.getByRole("link", { name: "Admin" }).click();
  await expect(page).toHaveURL(/\/admin$/);
});

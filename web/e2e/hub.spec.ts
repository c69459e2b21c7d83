/** The event hub's page: events as they come, what became of them, and everything an administrator does about it. */
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { promisify } from "node:util";
import { openAccess } from "@nexus/sdk/access";
import { expect, type Locator, type Page } from "@playwright/test";
import { clean } from "./clean.ts";
import { test as base, logIn, PASSWORD } from "./fixtures.ts";
import { Instance } from "./instance.ts";
import { Stub } from "./stub.ts";

const SECRET = "c3d0f1e2 a secret for the tests of the event hub";

const FACTORY_KEY = "a key of the factory";

/** Says that 422 can never change, so that a test need not wait twelve hours for a dead letter. */
const MINT = `description = "Mints what was paid for."
on = ["FLOWPAY:PAYMENT_RECEIVED"]

[http]
method = "POST"
url = "{{ env.FACTORY_API_URL }}/api/mint"
final = [422]

[http.headers]
Authorization = "Bearer {{ env.FACTORY_API_KEY }}"

[http.json]
amount = "{{ payload.amount }}"
`;
const IDLE = `description = "Never runs here."
on = ["MIO:IDENTITY_VERIFIED"]

[http]
method = "POST"
url = "{{ env.NOT_SET_HERE }}/"
`;
const REFUSED = `description = "Has a fault."
on = ["MIO:IDENTITY_VERIFIED"]
evnts = 3

[[emit]]
event = "NEXUS:START"
`;

interface Fixtures {
  readonly stub: Stub;
  /** The hub's page of an administrator who has signed in. */
  readonly hub: { readonly page: Page; readonly cut: () => void; readonly mend: () => void };
}

const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names a fixture needs from this pattern.
  stub: async ({}, use) => {
    const stub = await Stub.stand();
    await use(stub);
    await stub.leave();
  },
  instance: async ({ stub }, use) => {
    const instance = await Instance.start({
      environment: { NEXUS_SECRET: SECRET, FACTORY_API_URL: stub.origin, FACTORY_API_KEY: FACTORY_KEY },
      files: { "reactors/mint.toml": MINT, "reactors/idle.toml": IDLE, "reactors/refused.toml": REFUSED },
    });
    await use(instance);
    await instance.stop();
  },
  hub: async ({ instance, person }, use) => {
    await openAccess({ origin: instance.origin }).rest.setup({ token: instance.setupToken, username: "mika", password: PASSWORD });
    const { page, cable } = await person();
    await logIn(page, "mika");
    await page.getByRole("link", { name: "Event hub" }).click();
    await expect(page.getByText("Receiving")).toBeVisible();
    await use({ page, cut: () => cable.cut(), mend: () => cable.mend() });
  },
});

async function post(instance: Instance, event: string, payload: string): Promise<void> {
  const body = `{"event":"${event}","payload":${payload}}`;
  const signature = createHmac("sha256", SECRET).update(body).digest("hex");
  const response = await fetch(`${instance.origin}/events`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-nexus-signature": signature },
    body,
  });
  if (!response.ok) throw new Error(`Posting ${event} answered ${response.status}: ${await response.text()}`);
}

const pay = (instance: Instance, order: string) =>
  post(instance, "FLOWPAY:PAYMENT_RECEIVED", `{"orderId":"${order}","amount":15.00,"currency":"EUR","payerId":"hana"}`);

const row = (page: Page, text: string): Locator => page.getByRole("option").filter({ hasText: text });
const part = (page: Page, name: string) => page.getByRole("navigation", { name: "Event hub" }).getByRole("link", { name }).click();
const card = (page: Page, name: string): Locator => page.getByRole("listitem", { name });

test("an event shows as it is posted, then its outcome, and its life step by step", async ({ hub: { page }, instance, stub }) => {
  await pay(instance, "7730");
  const paid = row(page, "Order 7730, 15.00 EUR");
  await expect(paid).toBeVisible();
  await expect(paid).toContainText(/mint, \d+(\.\d)? (ms|s)/);

  await paid.click();
  const life = page.getByRole("complementary", { name: "Event life" });
  await expect(life).toContainText("Received from default");
  await expect(life).toContainText(/at position \d+/);
  await expect(life).toContainText(/answered 200/);
  await expect(life.getByRole("region", { name: "Payload" })).toContainText('"amount": 15.00');
  await life.getByText("Request and answer").click();
  await expect(life.getByRole("region", { name: "Request" })).toContainText(`POST ${stub.origin}/api/mint`);
  await expect(life.getByRole("region", { name: "Request" })).toContainText('"amount": 15.00');
  await expect(life.getByRole("region", { name: "Answer 200" })).toContainText('"status": "confirmed"');

  expect(stub.asked[0]?.headers.authorization).toBe(`Bearer ${FACTORY_KEY}`);
  await expect(life).not.toContainText(FACTORY_KEY);

  await life.getByRole("button", { name: "Run again" }).click();
  await expect.poll(() => stub.asked.length).toBe(2);

  await life.getByRole("button", { name: "Copy as curl" }).click();
  await expect(life.getByRole("button", { name: "Copied" })).toBeVisible();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  const { stdout } = await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, NEXUS_SECRET: SECRET } });
  expect(JSON.parse(stdout)).toMatchObject({ status: "dispatched", event: "FLOWPAY:PAYMENT_RECEIVED" });
  await expect(row(page, "Order 7730, 15.00 EUR")).toHaveCount(2);

  await page.keyboard.press("Escape");
  await expect(life).toBeHidden();
});

test("the keyboard searches, moves, opens and closes", async ({ hub: { page }, instance }) => {
  for (const order of ["1", "2", "3"]) await pay(instance, order);
  await post(instance, "MIO:IDENTITY_VERIFIED", '{"userId":"pim"}');
  await expect(row(page, "Order 3")).toBeVisible();

  await page.getByRole("heading", { name: "Live tail" }).click();
  await page.keyboard.press("/");
  const box = page.getByRole("searchbox", { name: "Type, source or field" });
  await expect(box).toBeFocused();
  await page.keyboard.type("orderId:2");
  await expect(page.getByRole("option")).toHaveCount(1);
  await page.keyboard.press("Escape");
  await expect(row(page, "Order")).toHaveCount(3);
  await box.fill("mio:identity_verified");
  await expect(page.getByRole("option")).toHaveCount(1);
  await expect(page).toHaveURL(/find=/);
  await box.fill("nothing like this");
  await expect(page.getByRole("heading", { name: "No event fits the filter" })).toBeVisible();
  await page.getByRole("button", { name: "Show all events" }).click();

  const list = page.getByRole("listbox", { name: "Events, newest first" });
  await list.focus();
  await page.keyboard.press("ArrowDown");
  await expect(row(page, "pim")).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowDown");
  await expect(row(page, "Order 3")).toHaveAttribute("aria-selected", "true");
  await expect(page.getByText("Received from default")).toHaveCount(1);
  await expect(page.getByRole("button", { name: "Copy as curl" })).toHaveCount(1);
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  await expect(row(page, "Order 1")).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "FLOWPAY:PAYMENT_RECEIVED" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("complementary", { name: "Event life" })).toBeHidden();
  await expect(list).toBeFocused();
});

test("what comes while it is paused, or while somebody reads further down, is counted and not pushed", async ({
  hub: { page },
  instance,
}) => {
  await page.getByRole("button", { name: "Pause" }).click();
  await pay(instance, "1");
  await pay(instance, "2");
  await page.getByRole("button", { name: "2 newer, go on" }).waitFor();
  await expect(row(page, "Order")).toHaveCount(0);
  await page.getByRole("button", { name: "2 newer, go on" }).click();
  await expect(row(page, "Order")).toHaveCount(2);

  for (let order = 3; order <= 130; order++) await pay(instance, String(order));
  await expect(row(page, "Order 130,")).toBeVisible();
  const scroller = page.locator(".hub-scroll");
  await scroller.evaluate((element) => element.scrollTo(0, 1_000));
  await expect(row(page, "Order 130,")).toHaveCount(0);
  await pay(instance, "131");
  await expect(page.getByRole("button", { name: "1 newer" })).toBeVisible();
  await page.getByRole("button", { name: "1 newer" }).click();
  await expect(row(page, "Order 131,")).toBeVisible();

  // The first page has a hundred; the rest is read on the way down.
  await page.reload();
  await expect(row(page, "Order 131,")).toBeVisible();
  await page.getByRole("listbox", { name: "Events, newest first" }).focus();
  await expect(async () => {
    await page.keyboard.press("End");
    await expect(row(page, "Order 1,")).toHaveCount(1, { timeout: 500 });
  }).toPass();
  await expect(page.getByText("This is the oldest event that is kept.")).toBeVisible();
});

test("a cut stream is said, and what was missed is there when it is mended", async ({ hub: { page, cut, mend }, instance }) => {
  await pay(instance, "1");
  await expect(row(page, "Order 1,")).toBeVisible();
  cut();
  await expect(page.getByText("Not live.")).toBeVisible();
  await pay(instance, "2");
  mend();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(row(page, "Order 2,")).toBeVisible();
  await expect(page.getByText("Receiving")).toBeVisible();
  await expect(row(page, "Order")).toHaveCount(2);
});

test("a dead letter says why, and is replayed; another is discarded", async ({ hub: { page }, instance, stub }) => {
  stub.status = 422;
  stub.body = '{"error":"no such payer"}';
  await pay(instance, "1");
  await expect(row(page, "Order 1,")).toContainText("Dead letter");
  await pay(instance, "2");
  await expect(row(page, "Order 2,")).toContainText("Dead letter");

  await part(page, "Dead letters");
  const letters = page.getByRole("listitem", { name: "FLOWPAY:PAYMENT_RECEIVED for mint" });
  await expect(letters).toHaveCount(2);
  const first = letters.filter({ hasText: "Order 1," });
  await expect(first).toContainText("422");
  await first.getByText("Payload, requests and answers").click();
  await expect(first.getByRole("region", { name: "Answer 422" })).toContainText("no such payer");

  await letters.filter({ hasText: "Order 2," }).getByRole("button", { name: "Discard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Keep it" }).click();
  await expect(letters).toHaveCount(2);
  await letters.filter({ hasText: "Order 2," }).getByRole("button", { name: "Discard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Discard it" }).click();
  await expect(letters).toHaveCount(1);

  stub.status = 200;
  stub.body = '{"status":"confirmed"}';
  await first.getByRole("button", { name: "Replay" }).click();
  await expect(page.getByRole("heading", { name: "No dead letters" })).toBeVisible();
  await part(page, "Live tail");
  await expect(row(page, "Order 1,")).toContainText(/mint, \d/);
  await expect(row(page, "Order 2,")).toContainText("Discarded");
});

test("all dead letters of a reactor are replayed at once", async ({ hub: { page }, instance, stub }) => {
  stub.status = 422;
  for (const order of ["1", "2", "3"]) await pay(instance, order);
  await part(page, "Dead letters");
  const letters = page.getByRole("listitem", { name: "FLOWPAY:PAYMENT_RECEIVED for mint" });
  await expect(letters).toHaveCount(3);
  stub.status = 200;
  await page.getByRole("button", { name: "Replay all of mint" }).click();
  await expect(page.getByText("3 dead letters of mint were replayed.")).toBeVisible();
  await expect(letters).toHaveCount(0);
});

test("a webhook is added, tested, told, rotated, switched off and removed", async ({ hub: { page }, instance, stub }) => {
  await part(page, "Webhooks");
  await page.getByRole("button", { name: "Add a webhook" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("http://192.168.7.7/hook");
  await dialog.getByLabel("Events").fill("FLOWPAY:*");
  await dialog.getByRole("button", { name: "Add webhook" }).click();
  await expect(dialog.getByRole("alert")).toContainText(/private/);
  await dialog.getByLabel("Address").fill(`${stub.origin}/hook`);
  await dialog.getByRole("button", { name: "Add webhook" }).click();

  const shown = page.getByRole("dialog", { name: "The webhook’s secret" });
  const secret = await shown.getByRole("textbox", { name: "Secret" }).inputValue();
  expect(secret).toMatch(/^whsec_/);
  await shown.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByText(secret)).toHaveCount(0);

  const webhook = card(page, `${stub.origin}/hook`);
  await webhook.getByRole("button", { name: "Send a test" }).click();
  await expect(webhook.getByRole("listitem")).toContainText("nexus:webhook_test");
  await expect(webhook.getByRole("listitem")).toContainText(/Delivered in/);
  const told = stub.asked.find((request) => request.path === "/hook");
  if (!told) throw new Error("The endpoint was told nothing.");
  const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures } = told.headers;
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  expect(String(signatures).split(" ")).toContain(`v1,${createHmac("sha256", key).update(`${id}.${at}.${told.body}`).digest("base64")}`);

  await pay(instance, "7730");
  const delivery = webhook.getByRole("listitem").filter({ hasText: "FLOWPAY:PAYMENT_RECEIVED" });
  await expect(delivery).toContainText(/Delivered in/);
  await delivery.getByRole("button", { name: "Deliver again" }).click();
  await expect.poll(() => stub.asked.filter((request) => request.path === "/hook").length).toBe(3);

  await webhook.getByRole("button", { name: "Rotate the secret" }).click();
  await page.getByRole("button", { name: "Make a new secret" }).click();
  await expect(shown.getByRole("textbox", { name: "Secret" })).not.toHaveValue(secret);
  await shown.getByRole("button", { name: "I have it" }).click();
  await expect(webhook).toContainText("signed with the old secret too");

  await webhook.getByRole("button", { name: "Switch off" }).click();
  await expect(webhook).toContainText("Off");
  await webhook.getByRole("button", { name: "Change" }).click();
  await dialog.getByLabel("What for (optional)").fill("Receipts");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(webhook).toContainText("Receipts");
  await webhook.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove webhook" }).click();
  await expect(page.getByRole("heading", { name: "No webhooks" })).toBeVisible();
});

test("a webhook that says it is gone is disabled, and the page says why", async ({ hub: { page }, instance, stub }) => {
  await part(page, "Webhooks");
  await page.getByRole("button", { name: "Add a webhook" }).click();
  await page.getByRole("dialog").getByLabel("Address").fill(`${stub.origin}/hook`);
  await page.getByRole("dialog").getByLabel("Events").fill("MIO:*");
  await page.getByRole("button", { name: "Add webhook" }).click();
  await page.getByRole("button", { name: "I have it" }).click();
  stub.status = 410;
  await post(instance, "MIO:IDENTITY_VERIFIED", '{"userId":"pim"}');
  const webhook = card(page, `${stub.origin}/hook`);
  await expect(webhook).toContainText("Disabled");
  await expect(webhook).toContainText("410");
});

test("a rule is paused, and goes on with what waited", async ({ hub: { page }, instance, stub }) => {
  await part(page, "Reactors");
  const mint = card(page, "mint");
  await expect(mint).toContainText("Active");
  await expect(card(page, "idle")).toContainText("NOT_SET_HERE");
  await expect(card(page, "refused")).toContainText(/refused\.toml.*3.*evnts/);
  await mint.getByRole("button", { name: "Pause" }).click();
  await expect(mint).toContainText("Paused");
  await pay(instance, "1");
  await expect(mint).toContainText("1 waiting");
  expect(stub.asked).toEqual([]);
  await mint.getByRole("button", { name: "Go on" }).click();
  await expect(mint).toContainText("Active");
  await expect.poll(() => stub.asked.length).toBe(1);
});

test("a rule is tried against the past without doing anything", async ({ hub: { page }, instance, stub }) => {
  await pay(instance, "1");
  await expect.poll(() => stub.asked.length).toBe(1);
  await part(page, "Reactors");
  const dry = page.getByRole("region", { name: "Dry run" });
  await dry.getByLabel("Rule", { exact: true }).selectOption("mint");
  await dry.getByRole("button", { name: "Try it" }).click();
  await expect(dry).toContainText(`Would call POST ${stub.origin}/api/mint`);
  await expect(dry).toContainText(/it wants 1\b/);

  await dry.getByText("A text").click();
  await dry.getByLabel("Rule, as in its file").fill(REFUSED);
  await dry.getByRole("button", { name: "Try it" }).click();
  await expect(dry.getByRole("button", { name: /^Line 3, column/ })).toBeVisible();
  await expect(dry).toContainText("evnts");
  await dry
    .getByLabel("Rule, as in its file")
    .fill(MINT.replace('on = ["FLOWPAY:PAYMENT_RECEIVED"]', 'on = ["FLOWPAY:*"]\nwhen = "payload.amount > 100"'));
  await dry.getByRole("button", { name: "Try it" }).click();
  await dry.getByText(/events? that it does not want/).click();
  await expect(dry.getByText("Not wanted").first()).toBeVisible();
  expect(stub.asked).toHaveLength(1);
});

test("sources are added, rotated and removed; types and subscribers are listed", async ({ hub: { page } }) => {
  await part(page, "Signing secrets");
  await expect(card(page, "default")).toBeVisible();
  await page.getByRole("button", { name: "Add a source" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("shop");
  await page.getByRole("dialog").getByLabel("May send").fill("FLOWPAY:*");
  await page.getByRole("dialog").getByRole("button", { name: "Add source" }).click();
  const secret = page.getByRole("dialog").getByRole("textbox", { name: "Secret" });
  const made = await secret.inputValue();
  await page.getByRole("button", { name: "I have it" }).click();
  const shop = card(page, "shop");
  await expect(shop).toContainText("FLOWPAY:*");
  await shop.getByRole("button", { name: "Rotate the secret" }).click();
  await page.getByRole("button", { name: "Make a new secret" }).click();
  await expect(secret).not.toHaveValue(made);
  await page.getByRole("button", { name: "I have it" }).click();
  await expect(shop).toContainText("The secret before this one is good until");
  await shop.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove source" }).click();
  await expect(shop).toHaveCount(0);

  await part(page, "Event types");
  await page.getByText("Schema of FLOWPAY:PAYMENT_RECEIVED").or(page.getByLabel("Schema of FLOWPAY:PAYMENT_RECEIVED")).first().click();
  await expect(page.getByRole("region", { name: "Schema of FLOWPAY:PAYMENT_RECEIVED" })).toContainText("amount");

  await part(page, "Subscribers");
  await expect(page.getByRole("main")).toContainText(/administrator/);
  await expect(page.getByRole("main")).toContainText(/at position/);
});

test("who does not administer the server is told so, and sees no way there", async ({ instance, person, voice }) => {
  await openAccess({ origin: instance.origin }).rest.setup({ token: instance.setupToken, username: "mika", password: PASSWORD });
  await voice("noor");
  const { page } = await person();
  await page.goto("/hub");
  await expect(page).toHaveURL(/\/login/);
  await logIn(page, "noor");
  await expect(page.getByRole("link", { name: "Audit" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Event hub" })).toHaveCount(0);
  await page.goto("/hub");
  await expect(page.getByRole("heading", { name: "The event hub is for administrators" })).toBeVisible();
});

base("a server of the hub alone asks for an admin token, and keeps it for the tab only", async ({ browser }) => {
  const instance = await Instance.prepare({ roles: "events", environment: { NEXUS_SECRET: SECRET } });
  const token = await instance.command("admin", "token", "create");
  await instance.resume();
  const context = await browser.newContext({ baseURL: instance.origin });
  const page = await context.newPage();
  await page.goto("/");
  await expect(page).toHaveURL(/\/hub$/);
  await expect(page.getByText("nexus admin token create")).toBeVisible();
  await page.getByLabel("Admin token").fill("nxa_wrong");
  await page.getByRole("button", { name: "Open the hub" }).click();
  await expect(page.getByText("The server does not know this token.")).toBeVisible();
  await page.getByLabel("Admin token").fill(token);
  await page.getByRole("button", { name: "Open the hub" }).click();
  await expect(page.getByText("Receiving")).toBeVisible();
  await post(instance, "FLUXX:VOTE_CAST", '{"proposalId":"12","voterId":"did:example:1","decision":"for"}');
  await expect(row(page, "Proposal 12, for")).toContainText("No reactor");

  await page.reload();
  await expect(page.getByText("Receiving")).toBeVisible();
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(token);
  const second = await context.newPage();
  await second.goto("/hub");
  await expect(second.getByLabel("Admin token")).toBeVisible();

  await page.getByRole("button", { name: "Forget the token" }).click();
  await expect(page.getByLabel("Admin token")).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  await context.close();
  await instance.stop();
});

base("a server without the hub says so", async ({ browser }) => {
  const instance = await Instance.start({ roles: "transparency" });
  const context = await browser.newContext({ baseURL: instance.origin });
  const page = await context.newPage();
  await page.goto("/audit");
  await page.getByRole("link", { name: "Event hub" }).click();
  await expect(page.getByRole("heading", { name: "This server has no event hub" })).toBeVisible();
  await context.close();
  await instance.stop();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing on the event hub, ${colorScheme}`, async ({ instance, person, stub }) => {
    await openAccess({ origin: instance.origin }).rest.setup({ token: instance.setupToken, username: "mika", password: PASSWORD });
    // axe is put into the page as a script, which the page's own policy would refuse.
    const { page } = await person({ colorScheme, bypassCSP: true });
    await logIn(page, "mika");
    await page.goto("/hub");
    await expect(page.getByText("Receiving")).toBeVisible();
    await pay(instance, "1");
    await expect(row(page, "Order 1,")).toContainText(/mint, \d/);
    stub.status = 422;
    await pay(instance, "2");
    await expect(row(page, "Order 2,")).toContainText("Dead letter");
    stub.status = 500;
    await pay(instance, "3");
    await expect(row(page, "Order 3,")).toContainText(/Try \d/);
    await row(page, "Order 3,").click();
    await page.getByRole("complementary", { name: "Event life" }).getByText("Request and answer").first().click();
    await clean(page, "live tail");
    for (const name of ["Dead letters", "Reactors", "Subscribers", "Event types", "Webhooks", "Signing secrets"]) {
      await part(page, name);
      await page.getByRole("heading", { level: 1, name }).waitFor();
      await page.locator(".skeleton").waitFor({ state: "detached" });
      if (name === "Reactors") await page.getByRole("button", { name: "Try it" }).click();
      if (name === "Dead letters") await page.getByText("Payload, requests and answers").click();
      await clean(page, name);
    }
    await page.getByRole("button", { name: "Add a source" }).click();
    await page.getByRole("dialog").waitFor();
    await clean(page, "adding a source");
    await page.keyboard.press("Escape");

    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto("/hub");
    await page.getByRole("link", { name: "Dead letters" }).waitFor();
    await clean(page, "the parts on a phone");
    await part(page, "Live tail");
    await expect(row(page, "Order 3,")).toBeVisible();
    await clean(page, "live tail on a phone");
    await row(page, "Order 3,").click();
    await expect(page.getByRole("heading", { name: "FLOWPAY:PAYMENT_RECEIVED" })).toBeFocused();
    await clean(page, "a life on a phone");
  });
}

import { expect } from "@playwright/test";
import { everyMessage, found, logIn, say, test } from "./fixtures.ts";

test("a message that failed and is tried again arrives exactly once", async ({ person, voice }) => {
  const mika = await voice("mika");
  const { guild, channelId } = await found(mika, "Saltmarsh Lab", []);
  const { page, context } = await person();
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await expect(page.getByRole("textbox", { name: "Message general" })).toBeVisible();

  // Nothing answers: after five tries the row says so.
  const route = /\/channels\/\d+\/messages$/;
  const nonces = new Set<string>();
  await context.route(route, async (call) => {
    nonces.add((call.request().postDataJSON() as { nonce: string }).nonce);
    await call.abort();
  });
  await say(page, "Tomorrow at six then.");
  await expect(page.getByText("Not sent. The server did not answer.")).toBeVisible({ timeout: 30_000 });
  expect(await mika.access.rest.history(channelId)).toHaveLength(0);

  // It arrives, but the answer is lost, over and over.
  await context.unroute(route);
  let lost = 0;
  await context.route(route, async (call) => {
    nonces.add((call.request().postDataJSON() as { nonce: string }).nonce);
    await call.fetch();
    lost += 1;
    await call.abort();
  });
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("article")).toHaveCount(1);
  await expect(page.getByText("Not sent. The server did not answer.")).toBeHidden();
  await expect(page.locator("[data-message-id]")).toHaveCount(1);
  await context.unroute(route);
  expect(lost).toBeGreaterThan(0);
  expect(nonces.size).toBe(1);

  await say(page, "And the ladder.");
  await expect(page.locator("[data-message-id]")).toHaveCount(2);
  expect((await everyMessage(page)).map((one) => one.text)).toEqual(["Tomorrow at six then.", "And the ladder."]);
  expect((await mika.access.rest.history(channelId)).map((message) => message.content)).toEqual([
    "And the ladder.",
    "Tomorrow at six then.",
  ]);
});

test("the network dies between the message and its answer: exactly one message", async ({ person, voice }) => {
  const mika = await voice("mika");
  const { guild, channelId } = await found(mika, "Saltmarsh Lab", []);
  const { page, context, cable } = await person();
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await expect(page.getByRole("textbox", { name: "Message general" })).toBeVisible();

  let calls = 0;
  await context.route(/\/channels\/\d+\/messages$/, async (call) => {
    calls += 1;
    if (calls > 1) return call.continue();
    // The gateway is cut first, so that the event can't tell.
    const draft = call.request().postDataJSON() as { content: string; nonce: string };
    cable.cut();
    await mika.access.rest.send(channelId, draft);
    await call.abort();
  });
  await say(page, "hello");
  await expect(page.getByText(/^You're offline/)).toBeVisible();
  cable.mend();
  await expect(page.locator("[data-message-id]")).toHaveCount(1, { timeout: 20_000 });
  await expect(page.locator("[data-status=waiting]")).toHaveCount(0);
  await expect(page.getByRole("article")).toHaveCount(1);
  expect(await mika.access.rest.history(channelId)).toHaveLength(1);
});

test("a refused message says why and can be deleted", async ({ person, voice }) => {
  const mika = await voice("mika");
  const { guild } = await found(mika, "Saltmarsh Lab", []);
  const { page, context } = await person();
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await context.route(/\/channels\/\d+\/messages$/, (call) =>
    call.request().method() === "POST"
      ? call.fulfill({ status: 403, json: { code: 50013, error: "missing_permission", message: "Missing Permissions", request_id: "x" } })
      : call.continue(),
  );
  await say(page, "hello");
  await expect(page.getByRole("alert")).toContainText("Not sent. You are not allowed to do this.");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("article")).toHaveCount(0);
});

test("history is read from the end to the start without a jump", async ({ person, voice }) => {
  const noor = await voice("noor");
  const mika = await voice("mika");
  const { guild, channelId } = await found(noor, "Saltmarsh Lab", [mika]);
  for (let index = 1; index <= 260; index++) {
    await (index % 3 ? noor : mika).access.rest.send(channelId, { content: `line ${index}${" and more".repeat(index % 17)}` });
  }
  const { page } = await person();
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await expect(page.getByRole("article").last()).toContainText("line 260");
  expect(await everyMessage(page)).toHaveLength(260);
  await expect(page.getByRole("heading", { name: "This is the start of general" })).toBeVisible();
  expect(await page.locator("[data-message-id]").count()).toBeLessThan(150);

  // Reading back, what arrives does not move the page; the pill leads down.
  const first = page.getByRole("article").first();
  const before = await first.boundingBox();
  await noor.access.rest.send(channelId, { content: "fresh" });
  await expect(page.getByRole("button", { name: "1 new, jump to now" })).toBeVisible();
  expect(await first.boundingBox()).toEqual(before);
  await page.getByRole("button", { name: "1 new, jump to now" }).click();
  await expect(page.getByRole("article").last()).toContainText("fresh");
});

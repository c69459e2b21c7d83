import { expect } from "@playwright/test";
import { everyMessage, found, logIn, say, test, type Voice, watchGateway } from "./fixtures.ts";

/** How long the cable stays cut; the issue asks for 30 s. */
const CUT_MS = Number(process.env.NEXUS_E2E_CUT_MS ?? 30_000);
const MESSAGES = 200;

const texts = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}`);

async function send(voice: Voice, channelId: string, lines: readonly string[], overMs: number): Promise<void> {
  const startedAt = Date.now();
  for (const [index, line] of lines.entries()) {
    await voice.access.rest.send(channelId, { content: line });
    const aheadMs = ((index + 1) / lines.length) * overMs - (Date.now() - startedAt);
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
}

test(`resumes after ${CUT_MS / 1000} s without a network: nothing missed, nothing repeated`, async ({ person, voice }) => {
  const noor = await voice("noor");
  const mika = await voice("mika");
  const { guild, channelId } = await found(noor, "Saltmarsh Lab", [mika]);
  const { page, cable } = await person();
  const gateway = watchGateway(page);
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await send(noor, channelId, ["before"], 0);
  await expect(page.getByRole("article")).toContainText("before");
  const histories: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "GET" && request.url().includes("/messages")) histories.push(request.url());
  });

  cable.cut();
  const sending = send(noor, channelId, texts(1, MESSAGES), CUT_MS - 1_000);
  await expect(page.getByText(/^You're offline/)).toBeVisible();
  await say(page, "written while offline");
  await expect(page.getByText("You're offline. 1 message will be sent when you're back.")).toBeVisible();
  await Promise.all([sending, new Promise((resolve) => setTimeout(resolve, CUT_MS))]);
  cable.mend();

  await expect(page.getByText(/^You're offline/)).toBeHidden({ timeout: 20_000 });
  await expect(page.getByRole("article").last()).toContainText("written while offline");
  expect(gateway.heard.filter((name) => name === "READY")).toHaveLength(1);
  expect(gateway.heard).toContain("RESUMED");
  expect(histories).toEqual([]);
  const shown = await everyMessage(page);
  expect(shown.map((one) => one.text)).toEqual(["before", ...texts(1, MESSAGES), "written while offline"]);
  expect(new Set(shown.map((one) => one.id)).size).toBe(MESSAGES + 2);
  const stored = await noor.access.rest.history(channelId, { limit: 5 });
  expect(stored.filter((message) => message.content === "written while offline")).toHaveLength(1);
});

test(`resumes across kill -9 and a restart: nothing missed, nothing repeated`, async ({ person, voice, instance }) => {
  const noor = await voice("noor");
  const mika = await voice("mika");
  const { guild, channelId } = await found(noor, "Saltmarsh Lab", [mika]);
  const { page, cable } = await person();
  const gateway = watchGateway(page);
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await send(noor, channelId, ["before"], 0);
  await expect(page.getByRole("article")).toContainText("before");

  // Killed under the open socket, then again while the network is away, with messages between.
  await instance.kill();
  await expect(page.getByText(/^You're offline/)).toBeVisible();
  cable.cut();
  await instance.resume();
  await send(noor, channelId, texts(1, MESSAGES / 2), CUT_MS / 4);
  await instance.kill();
  await instance.resume();
  await send(noor, channelId, texts(MESSAGES / 2 + 1, MESSAGES), CUT_MS / 4);
  cable.mend();

  await expect(page.getByText(/^You're offline/)).toBeHidden({ timeout: 20_000 });
  await expect(page.getByRole("article").last()).toContainText(`message ${MESSAGES}`);
  expect(gateway.heard.filter((name) => name === "READY")).toHaveLength(1);
  expect(gateway.heard).toContain("RESUMED");
  const shown = await everyMessage(page);
  expect(shown.map((one) => one.text)).toEqual(["before", ...texts(1, MESSAGES)]);

  // And both go on.
  await say(page, "still here");
  await expect(page.getByRole("article").last()).toContainText("still here");
  const stored = await noor.access.rest.history(channelId, { limit: 1 });
  expect(stored[0]?.content).toBe("still here");
});

test("identifies anew when the session is lost, and closes the gap with history", async ({ person, voice }) => {
  const noor = await voice("noor");
  const mika = await voice("mika");
  const { guild, channelId } = await found(noor, "Saltmarsh Lab", [mika]);
  const { page, cable, context } = await person();
  const gateway = watchGateway(page);
  // Spoils every RESUME, so that the instance answers with op 9.
  await context.routeWebSocket(/\/gateway/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const frame = JSON.parse(String(text)) as { op: number; d: { session_id?: string } };
      if (frame.op === 6) frame.d.session_id = "spoiled";
      server.send(JSON.stringify(frame));
    });
  });
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await send(noor, channelId, ["before"], 0);
  await expect(page.getByRole("article")).toContainText("before");

  cable.cut();
  await send(noor, channelId, texts(1, 120), 1_000);
  cable.mend();
  await expect(page.getByRole("article").last()).toContainText("message 120", { timeout: 30_000 });
  await send(noor, channelId, ["after"], 0);
  await expect(page.getByRole("article").last()).toContainText("after");
  const shown = await everyMessage(page);
  expect(shown.map((one) => one.text)).toEqual(["before", ...texts(1, 120), "after"]);
  expect(gateway.heard).not.toContain("RESUMED");
});

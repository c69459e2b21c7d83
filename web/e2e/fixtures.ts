/** What every scenario starts from: a fresh instance, people behind cables, and pages that may not break the page's own rules. */

import { type Access, openAccess } from "@nexus/sdk/access";
import type { FullGuild, Id, User } from "@nexus/sdk/wire";
import { type BrowserContext, test as base, type Page } from "@playwright/test";
import { Cable } from "./cable.ts";
import { Instance } from "./instance.ts";

export const PASSWORD = "correct horse battery";

/** Somebody without a screen: the SDK in Node. */
export interface Voice {
  readonly user: User;
  readonly access: Access;
}

/** Somebody at a browser. */
export interface Person {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly cable: Cable;
}

interface Fixtures {
  readonly instance: Instance;
  /** Registers somebody who acts through REST. */
  readonly voice: (name: string) => Promise<Voice>;
  /** Opens a browser for somebody. */
  readonly person: (options?: { colorScheme?: "light" | "dark"; bypassCSP?: boolean }) => Promise<Person>;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names a fixture needs from this pattern.
  instance: async ({}, use) => {
    const instance = await Instance.start();
    await use(instance);
    await instance.stop();
  },
  voice: async ({ instance }, use) => {
    await use(async (name) => {
      const access = openAccess({ origin: instance.origin });
      const user = await access.rest.register({ username: name, password: PASSWORD });
      return { user, access };
    });
  },
  person: async ({ browser, instance }, use) => {
    const people: Person[] = [];
    const broken: string[] = [];
    await use(async (options = {}) => {
      const cable = await Cable.lay(() => instance.port);
      const context = await browser.newContext({ baseURL: cable.origin, permissions: ["clipboard-read", "clipboard-write"], ...options });
      const page = await context.newPage();
      page.on("pageerror", (error) => broken.push(`page error: ${error.message}`));
      page.on("console", (message) => {
        if (/Content Security Policy|Trusted ?Type/i.test(message.text())) broken.push(message.text());
      });
      const person = { page, context, cable };
      people.push(person);
      return person;
    });
    for (const { context, cable } of people) {
      await context.close();
      await cable.remove();
    }
    if (broken.length > 0) throw new Error(`The page broke its rules:\n${broken.join("\n")}`);
  },
});

/** Logs in through the login page. */
export async function logIn(page: Page, name: string): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
}

/** Registers through the register page. */
export async function register(page: Page, name: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
}

/** A guild of `owner` that `guests` have joined. */
export async function found(owner: Voice, name: string, guests: readonly Voice[]): Promise<{ guild: FullGuild; channelId: Id }> {
  const guild = await owner.access.rest.createGuild({ name });
  const channelId = guild.channels?.[0]?.id ?? "";
  const invite = await owner.access.rest.createInvite(channelId, { max_age: 0, max_uses: 0 });
  for (const guest of guests) await guest.access.rest.join(invite.code);
  return { guild, channelId };
}

/** Writes in the composer and sends. */
export async function say(page: Page, text: string): Promise<void> {
  const composer = page.getByRole("textbox", { name: /^Message / });
  await composer.fill(text);
  await composer.press("Enter");
}

export interface Shown {
  readonly id: string;
  readonly text: string;
}

/** Every message of the open channel in the order of the screen, gathered by scrolling from the end to the start. */
export async function everyMessage(page: Page): Promise<Shown[]> {
  return page.evaluate(async () => {
    const list = document.querySelector<HTMLElement>("[data-nx-part=message-list]");
    if (!list) return [];
    const rest = () => new Promise((resolve) => setTimeout(resolve, 120));
    const seen = new Map<string, { id: string; text: string }>();
    const pages: string[][] = [];
    list.scrollTop = list.scrollHeight;
    await rest();
    for (let still = 0; still < 4; ) {
      const rows = [...list.querySelectorAll<HTMLElement>("[data-message-id]")].sort(
        (a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top,
      );
      pages.push(rows.map((row) => row.dataset.messageId ?? ""));
      for (const row of rows)
        seen.set(row.dataset.messageId ?? "", { id: row.dataset.messageId ?? "", text: row.querySelector(".text")?.textContent ?? "" });
      still = list.scrollTop < 2 ? still + 1 : 0;
      list.scrollTop -= list.clientHeight / 2;
      await rest();
    }
    // Each screenful must itself be in the order of ids, without repeats.
    const older = (a: string, b: string) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
    for (const ids of pages) {
      for (let index = 1; index < ids.length; index++) {
        if (older(ids[index - 1] ?? "", ids[index] ?? "") >= 0) throw new Error(`Out of order or repeated: ${ids.join(" ")}`);
      }
    }
    return [...seen.values()].sort((a, b) => older(a.id, b.id));
  });
}

/** What a page's gateway sent and heard, by operation and event name. */
export function watchGateway(page: Page): { readonly sent: number[]; readonly heard: string[] } {
  const sent: number[] = [];
  const heard: string[] = [];
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => sent.push((JSON.parse(String(payload)) as { op: number }).op));
    socket.on("framereceived", ({ payload }) => {
      const name = (JSON.parse(String(payload)) as { t?: string | null }).t;
      if (name) heard.push(name);
    });
  });
  return { sent, heard };
}

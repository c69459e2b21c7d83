import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { found, logIn, test } from "./fixtures.ts";

async function clean(page: Page, where: string): Promise<void> {
  // Opacity on its way would be measured as poor contrast.
  await page.waitForTimeout(500);
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join("\n    ")}`);
  expect(found, where).toEqual([]);
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing on the main pages, ${colorScheme}`, async ({ person, voice }) => {
    const noor = await voice("noor");
    const mika = await voice("mika");
    await voice("alone");
    const { guild, channelId } = await found(mika, "Saltmarsh Lab", [noor]);
    await mika.access.rest.createChannel(guild.id, { name: "field-work", type: 0, topic: "Boots needed" });
    for (const line of ["Low water is 06:40.", "Notes: https://example.org/notes"])
      await noor.access.rest.send(channelId, { content: line });
    const invite = await mika.access.rest.createInvite(channelId, { max_age: 3_600, max_uses: 5 });

    // axe is put into the page as a script, which the page's own policy would refuse.
    const { page } = await person({ colorScheme, bypassCSP: true });
    for (const path of ["/login", "/register", `/invite/${invite.code}`, "/setup#token", "/nowhere"]) {
      await page.goto(path);
      await page.getByRole("heading").first().waitFor();
      await clean(page, path);
    }

    await logIn(page, "mika");
    await clean(page, "home");
    await page.getByRole("link", { name: guild.name }).first().click();
    await expect(page.getByRole("article").first()).toBeVisible();
    await clean(page, "channel");
    await page.getByRole("button", { name: /^noor/ }).click();
    await clean(page, "channel with a person chosen");
    await page.getByRole("button", { name: "Saltmarsh Lab, menu" }).click();
    await clean(page, "menu");
    await page.keyboard.press("Escape");
    for (const name of ["Settings", "Invite people to Saltmarsh Lab", "Create channel"]) {
      await page.getByRole("button", { name }).click();
      await page.getByRole("dialog").waitFor();
      await clean(page, name);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
    await page.keyboard.press("Control+k");
    await page.getByRole("option").first().waitFor();
    await clean(page, "switcher");
    await page.keyboard.press("Escape");

    await page.setViewportSize({ width: 390, height: 844 });
    await clean(page, "channel on a phone");
    await page.getByRole("link", { name: "Back to channels" }).click();
    await clean(page, "list on a phone");
  });
}

test("the message list is one tab stop, with arrows, Enter and Esc inside", async ({ person, voice }) => {
  const mika = await voice("mika");
  const { guild, channelId } = await found(mika, "Saltmarsh Lab", []);
  for (const line of ["one", "two https://example.org", "three"]) await mika.access.rest.send(channelId, { content: line });
  const { page } = await person();
  await logIn(page, "mika");
  await page.getByRole("link", { name: guild.name }).first().click();
  await expect(page.getByRole("article")).toHaveCount(3);
  await page.getByRole("group", { name: "Messages in general" }).focus();
  await page.keyboard.press("ArrowUp");
  await expect(page.getByRole("article").nth(2)).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(page.getByRole("article").nth(1)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("link", { name: "https://example.org" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("article").nth(1)).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("group", { name: "Messages in general" })).toBeFocused();
});

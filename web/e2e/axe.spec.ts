import { expect } from "@playwright/test";
import { clean } from "./clean.ts";
import { found, logIn, test } from "./fixtures.ts";
import { Pair } from "./keyLog.ts";

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

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing on the pages of the key log, ${colorScheme}`, async ({ person, instance }) => {
    const { page, context } = await person({ colorScheme, bypassCSP: true });
    await page.goto("/audit");
    await page.getByRole("heading", { name: "The log is empty." }).waitFor();
    await clean(page, "audit of an empty log");
    await page.goto("/admin");
    await page.getByText("There is no tree head yet.").waitFor();
    await clean(page, "admin of an empty log");

    for (let index = 0; index < 9; index++) {
      const id = `did:example:${index}`;
      const body = JSON.stringify({ id, public_key: Pair.named(id).text, timestamp: 1_767_225_600 + index });
      await fetch(`${instance.origin}/did/register`, { method: "POST", headers: { "content-type": "application/json" }, body });
    }
    await page.goto("/audit");
    await page.getByText("Ends at the signed root").waitFor();
    await page.getByRole("button", { name: "Make a key and register it" }).click();
    await page.getByText("1 entry was added since its last visit").waitFor();
    await page.getByText("Registered as entry 9.").waitFor();
    await page.getByLabel("Identity", { exact: true }).fill("did:example:3");
    await page.getByRole("button", { name: "Look up", exact: true }).click();
    await page.getByText("Proven:").waitFor();
    await clean(page, "audit");
    await page.getByRole("button", { name: "Forget and trust anew" }).click();
    await page.getByRole("dialog").waitFor();
    await clean(page, "forgetting");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 390, height: 844 });
    await clean(page, "audit on a phone");
    await page.goto("/admin");
    await page.getByText("Healthy").first().waitFor();
    await clean(page, "admin on a phone");
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.getByText("As a table").click();
    await clean(page, "admin");

    await context.route("**/sth/latest", async (route) => {
      const response = await route.fetch();
      const head = (await response.json()) as { signatures: { sig: string }[] };
      const [first, second] = head.signatures;
      if (first && second) first.sig = second.sig;
      await route.fulfill({ response, json: head });
    });
    await page.goto("/audit");
    await page.getByRole("heading", { name: "A signature is not valid." }).waitFor();
    await clean(page, "audit of a broken log");
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

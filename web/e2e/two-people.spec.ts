import { expect } from "@playwright/test";
import { register, say, test } from "./fixtures.ts";

test("two people register, create, invite, join and talk", async ({ person }) => {
  const mika = await person();
  const noor = await person();

  await mika.page.goto("/");
  await expect(mika.page).toHaveURL(/\/login/);
  await mika.page.getByRole("link", { name: "Create account" }).click();
  await register(mika.page, "mika");
  await expect(mika.page.getByRole("heading", { name: "You are in no community yet" })).toBeVisible();

  await mika.page.getByRole("button", { name: "Create a community" }).click();
  await mika.page.getByRole("dialog").getByLabel("Name").fill("Saltmarsh Lab");
  await mika.page.getByRole("button", { name: "Create community" }).click();
  await expect(mika.page.getByRole("heading", { name: "general", exact: true })).toBeVisible();

  await mika.page.getByRole("button", { name: "Invite people to Saltmarsh Lab" }).click();
  const field = mika.page.getByLabel("Link", { exact: true });
  await expect(field).toHaveValue(/\/invite\//);
  const link = new URL(await field.inputValue());
  await mika.page.getByRole("button", { name: "Copy link" }).click();
  expect(await mika.page.evaluate(() => navigator.clipboard.readText())).toBe(link.href);
  await mika.page.keyboard.press("Escape");

  await noor.page.goto(link.pathname);
  await expect(noor.page.getByRole("heading", { name: "mika invites you to Saltmarsh Lab" })).toBeVisible();
  await noor.page.getByRole("link", { name: "Create account" }).click();
  await register(noor.page, "noor");
  await noor.page.getByRole("button", { name: "Join Saltmarsh Lab" }).click();
  await expect(noor.page.getByRole("heading", { name: "general", exact: true })).toBeVisible();
  await expect(mika.page.getByRole("button", { name: /^noor/ })).toBeVisible();

  await say(mika.page, "Welcome. Notes: https://example.org/notes");
  const first = noor.page.getByRole("article", { name: /^mika at/ });
  await expect(first).toContainText("Welcome.");
  await expect(first.getByRole("link", { name: "https://example.org/notes" })).toHaveAttribute("rel", "noopener noreferrer");

  await noor.page.getByRole("textbox", { name: "Message general" }).pressSequentially("Thanks");
  await expect(mika.page.getByText("noor is writing")).toBeVisible();
  await noor.page.keyboard.press("Enter");
  await expect(mika.page.getByRole("article", { name: /^noor at/ })).toContainText("Thanks");
  await expect(mika.page.getByText("noor is writing")).toBeHidden();

  // A new channel appears for both; a message in it is a dot for who is elsewhere, until read.
  await mika.page.getByRole("button", { name: "Create channel" }).click();
  await mika.page.getByRole("dialog").getByLabel("Name").fill("field-work");
  await mika.page.getByRole("dialog").getByLabel("Topic").fill("Boots needed");
  await mika.page.getByRole("dialog").getByRole("button", { name: "Create channel" }).click();
  await expect(mika.page.getByRole("heading", { name: "field-work", exact: true })).toBeVisible();
  await say(mika.page, "First light at the sluice");
  await expect(noor.page.getByRole("link", { name: "field-work unread" })).toBeVisible();
  await noor.page.keyboard.press("Alt+ArrowDown");
  await expect(noor.page.getByRole("article")).toContainText("First light at the sluice");
  await expect(noor.page.getByRole("link", { name: "field-work", exact: true })).toBeVisible();

  // A reload comes back to the same place with the same messages, still logged in.
  await noor.page.reload();
  await expect(noor.page.getByRole("article")).toContainText("First light at the sluice");
  await expect(noor.page.getByRole("link", { name: "field-work", exact: true })).toHaveAttribute("aria-current", "page");

  // Ctrl K leads back.
  await noor.page.keyboard.press("Control+k");
  await noor.page.keyboard.type("gen");
  await noor.page.keyboard.press("Enter");
  await expect(noor.page.getByRole("heading", { name: "general", exact: true })).toBeVisible();

  // Signing out leads to the login page, and stays out.
  await noor.page.getByRole("button", { name: "Settings" }).click();
  await noor.page.getByRole("button", { name: "Sign out", exact: true }).click();
  await expect(noor.page).toHaveURL(/\/login/);
  await noor.page.goto("/");
  await expect(noor.page).toHaveURL(/\/login/);
});

test("the first administrator sets up with the printed link", async ({ person, instance }) => {
  const { page } = await person();
  await page.goto(`/setup#${instance.setupToken}`);
  await page.getByLabel("Name").fill("root-of-all");
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await page.getByRole("heading", { name: "You are in no community yet" }).waitFor();
  await page.getByRole("button", { name: "Settings" }).click();
  await expect(page.getByText("Administrator of this server")).toBeVisible();
});

test("what is missing is said in words", async ({ person, voice }) => {
  const mika = await voice("mika");
  const { page } = await person();
  await page.goto("/invite/doesnotexist");
  await expect(page.getByRole("heading", { name: /There is no such invite|This invite is no longer good/ })).toBeVisible();
  await page.goto("/nowhere/at/all");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
  await page.goto("/channels/1/2");
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel("Name").fill(mika.user.username);
  await page.getByLabel("Password").fill("wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("The name or the password is wrong.");
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/channels\/1\/2/);
  await expect(page.getByRole("heading", { name: "This community is not here" })).toBeVisible();
});

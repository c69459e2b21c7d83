import { expect } from "@playwright/test";
import { found, logIn, PASSWORD, say, test } from "./fixtures.ts";

test("a second tab with another account stops the first, which sends nothing as the other", async ({ person, voice }) => {
  const mika = await voice("mika");
  const noor = await voice("noor");
  const { channelId } = await found(mika, "Saltmarsh Lab", [noor]);
  const { page, context } = await person();
  const other = await context.newPage();
  await other.goto("/login");
  await logIn(page, "mika");
  await page
    .getByRole("link", { name: /Saltmarsh Lab/ })
    .first()
    .click();
  await expect(page.getByRole("heading", { name: "general", exact: true })).toBeVisible();

  // Its messages find no way out; then somebody else signs in beside it.
  await page.route("**/messages", (route) => route.abort());
  await say(page, "only ever from mika");
  await other.getByLabel("Name").fill("noor");
  await other.getByLabel("Password").fill(PASSWORD);
  await other.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "You signed in as noor in another tab" })).toBeVisible();
  await page.unroute("**/messages");
  await page.waitForTimeout(6_000);
  expect((await mika.access.rest.history(channelId)).map((message) => message.content)).toEqual([]);

  await page.getByRole("button", { name: "Go on as noor" }).click();
  await expect(page.getByText("Signed in as noor")).toBeVisible();
  // Who is signed in is led on from the login page.
  await page.goto("/login");
  await expect(page).not.toHaveURL(/\/login/);
});

test("signing out without a connection says that it did not happen", async ({ person, voice }) => {
  await voice("mika");
  const { page } = await person();
  await logIn(page, "mika");
  await page.getByRole("button", { name: "Settings" }).click();
  await page.route("**/auth/logout", (route) => route.abort());
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await expect(page.getByText("You are still signed in. The server did not answer.")).toBeVisible();
  await page.unroute("**/auth/logout");
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await expect(page).toHaveURL(/\/login/);
});

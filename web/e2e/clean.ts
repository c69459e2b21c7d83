/** What axe has to say of a page. */
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** Fails if axe finds anything, with the elements. */
export async function clean(page: Page, where: string): Promise<void> {
  // Opacity on its way would be measured as poor contrast.
  await page.waitForTimeout(500);
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join("\n    ")}`);
  expect(found, where).toEqual([]);
}

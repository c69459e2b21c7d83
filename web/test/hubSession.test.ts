import { expect, test, vi } from "vitest";
import { Resource } from "../src/features/hub/resource.ts";
import { type HubServer, JOBS_PAGE } from "../src/features/hub/server.ts";
import { DEAD, Hub } from "../src/features/hub/session.tsx";
import type { DeadLetter } from "../src/features/hub/shapes.ts";

test("dead letters are shown page by page, as far as somebody wants to see", async () => {
  const ids = Array.from({ length: JOBS_PAGE + 7 }, (_, at) => String(1_000 - at));
  const deadLetters = vi.fn(async (before?: string) => {
    const from = before === undefined ? 0 : ids.indexOf(before) + 1;
    return ids.slice(from, from + JOBS_PAGE).map((id) => ({ id }) as DeadLetter);
  });
  const hub = new Hub({ deadLetters } as unknown as HubServer);
  const shown = () => hub.deadLetters.state().value?.map((letter) => letter.id) ?? [];

  await hub.deadLetters.refresh();
  expect(shown()).toEqual(ids.slice(0, JOBS_PAGE));
  expect(hub.hasMore(DEAD, shown().length)).toBe(true);
  await hub.showMore(DEAD);
  expect(shown()).toEqual(ids);
  expect(hub.hasMore(DEAD, shown().length)).toBe(false);
});

test("of two readings the one that was asked last counts, and a failure keeps what was read", async () => {
  const answers: ((value: string) => void)[] = [];
  const resource = new Resource(() => new Promise<string>((resolve) => answers.push(resolve)));
  const [first, second] = [resource.refresh(), resource.refresh()];
  expect(resource.isBusy).toBe(true);
  answers[1]?.("new");
  answers[0]?.("old");
  await Promise.all([first, second]);
  expect(resource.state().value).toBe("new");
  expect(resource.isBusy).toBe(false);

  let fails = false;
  const failing = new Resource(async () => {
    if (fails) throw new Error("no");
    return 1;
  });
  await failing.refresh();
  fails = true;
  await failing.refresh();
  expect(failing.state()).toMatchObject({ value: 1, failure: new Error("no") });
});

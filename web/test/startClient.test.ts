import { act, renderHook } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { startClient } from "../src/app/startClient.ts";
import { openDialog, useView } from "../src/app/view.ts";
import { draftOf, keepDraft } from "../src/features/messages/drafts.ts";

it("leaves nothing of one login to the next", async () => {
  vi.stubGlobal("fetch", () => new Promise(() => {}));
  const view = renderHook(() => useView());
  const client = await startClient();
  expect(await startClient()).toBe(client);
  keepDraft("10", "not for everybody");
  act(() => openDialog({ kind: "settings" }));
  act(() => client.tokens.forget());
  expect(draftOf("10")).toBe("");
  expect(view.result.current.dialog).toBeNull();
  const next = await startClient();
  expect(next).not.toBe(client);
  next.gateway.stop();
});

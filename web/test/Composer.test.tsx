import { Client } from "@nexus/sdk/client";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../src/i18n/i18n.ts";
import "../src/i18n/addShellWords.ts";
import { ClientProvider } from "../src/app/ClientContext.tsx";
import { Composer } from "../src/features/messages/Composer.tsx";
import { keepDraft } from "../src/features/messages/drafts.ts";

const user = { id: "7", username: "mika", global_name: null, avatar: null, bot: false };

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
});

afterEach(() => {
  cleanup();
  keepDraft("10", "");
});

function open(everyone = "3072") {
  const client = new Client({ origin: "http://localhost", fetch: () => new Promise(() => {}) });
  client.store.dispatch({ type: "ready", user, guildIds: ["1"], reads: [] });
  client.store.dispatch({
    type: "guild_create",
    guild: {
      id: "1",
      name: "Guild",
      icon: null,
      owner_id: "8",
      roles: [{ id: "1", name: "@everyone", color: 0, position: 0, permissions: everyone }],
      members: [{ user, nick: null, roles: [], joined_at: "2026-11-20T09:00:00Z" }],
      channels: [
        { id: "10", type: 0, guild_id: "1", name: "general", topic: null, position: 0, last_message_id: null, permission_overwrites: [] },
      ],
    },
  });
  render(
    <ClientProvider client={client}>
      <Composer channelId="10" />
    </ClientProvider>,
  );
  return client;
}

const field = () => screen.getByRole<HTMLTextAreaElement>("textbox");
const write = (text: string) => fireEvent.change(field(), { target: { value: text } });
const press = (init: object) => act(() => fireEvent.keyDown(field(), { key: "Enter", ...init }));
const sent = (client: Client) => client.store.state().echoes.map((echo) => echo.content);

it("sends with Enter, trimmed, and empties itself", () => {
  const client = open();
  write("  hello  ");
  press({});
  expect(sent(client)).toEqual(["hello"]);
  expect(field().value).toBe("");
});

it("breaks the line with Shift and Enter, and leaves Enter to an input method", () => {
  const client = open();
  write("hello");
  press({ shiftKey: true });
  press({ isComposing: true });
  expect(sent(client)).toEqual([]);
});

it("sends neither nothing nor too much", () => {
  const client = open();
  write("   ");
  press({});
  write("x".repeat(4_001));
  press({});
  expect(sent(client)).toEqual([]);
  expect(screen.getByText("1 character too many")).toBeTruthy();
});

it("says that the host can read, and says so when writing is not allowed", () => {
  open();
  expect(screen.getByText("Not encrypted, the host can read this")).toBeTruthy();
  cleanup();
  open("1024");
  expect(screen.queryByRole("textbox")).toBeNull();
  expect(screen.getByText("You can read this channel but not write in it.")).toBeTruthy();
});

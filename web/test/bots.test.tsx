import { Client } from "@nexus/sdk/client";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../src/i18n/i18n.ts";
import "../src/i18n/addShellWords.ts";
import { ClientProvider } from "../src/app/ClientContext.tsx";
import { People } from "../src/features/members/People.tsx";
import { MessageRow } from "../src/features/messages/MessageRow.tsx";
import type { Row } from "../src/features/messages/rows.ts";

const person = { id: "7", username: "mika", global_name: null, avatar: null, bot: false };
const bot = { ...person, id: "9", username: "Payments", bot: true };
const member = { nick: null, roles: [], joined_at: "2026-11-20T09:00:00Z" };

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: true, addEventListener() {}, removeEventListener() {} }));
});

afterEach(cleanup);

function open() {
  const client = new Client({ origin: "http://localhost", fetch: () => new Promise(() => {}) });
  client.store.dispatch({ type: "ready", user: person, guildIds: ["1"], reads: [] });
  client.store.dispatch({
    type: "guild_create",
    guild: {
      id: "1",
      name: "Guild",
      icon: null,
      owner_id: "7",
      roles: [],
      members: [
        { ...member, user: person },
        { ...member, user: bot },
      ],
      channels: [],
    },
  });
  return client;
}

function row(authorId: string): Row {
  const post = { key: authorId, id: authorId, authorId, content: "Hello", atMs: 0, status: "shown", echo: null } as const;
  return { ...post, first: true, day: null, isNew: false, isStart: false };
}

it("marks the messages of a bot, and of nobody else", () => {
  render(
    <ClientProvider client={open()}>
      <MessageRow row={row("7")} guildId="1" channelName="general" />
      <MessageRow row={row("9")} guildId="1" channelName="general" />
    </ClientProvider>,
  );
  expect(screen.getByText("Payments").nextElementSibling?.textContent).toBe("Bot");
  expect(screen.getAllByText("Bot")).toHaveLength(1);
});

it("marks a bot among the members", () => {
  render(
    <ClientProvider client={open()}>
      <People guildId="1" channelId="10" />
    </ClientProvider>,
  );
  expect(screen.getByRole("button", { name: /Payments/ }).textContent).toContain("Bot");
  expect(screen.getByRole("button", { name: /mika/ }).textContent).not.toContain("Bot");
});

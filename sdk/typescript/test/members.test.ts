import { expect, it } from "vitest";
import { Members } from "../src/members.ts";
import { NetworkError } from "../src/rest/errors.ts";
import { peopleOf } from "../src/store/selectors.ts";
import { Store } from "../src/store/store.ts";
import type { Member } from "../src/wire.ts";
import { FakeClock, settle } from "./fakeClock.ts";
import { guild, member, user } from "./samples.ts";

function start(...answers: (() => Promise<Member[]>)[]) {
  const clock = new FakeClock();
  const store = new Store();
  const asked: string[] = [];
  new Members(
    store,
    (guildId) => {
      asked.push(guildId);
      return (answers.shift() ?? (() => Promise.reject(new Error("Not asked for."))))();
    },
    clock,
  );
  store.dispatch({ type: "ready", user: user("7"), guildIds: ["1"], reads: [] });
  store.dispatch({ type: "guild_create", guild: guild({ large: true, member_count: 251, members: [member("7")] }) });
  const leave = () => store.dispatch({ type: "guild_member_remove", guildId: "1", user: user("9"), memberCount: 250, large: false });
  const people = () => peopleOf(store.state(), "1").map((person) => person.user.id);
  return { clock, store, asked, leave, people };
}

it("fetches the members once a guild is no longer large, and tries again after silence", async () => {
  const { clock, asked, leave, people } = start(
    () => Promise.reject(new NetworkError("down")),
    () => Promise.resolve([member("7"), member("8")]),
  );
  expect(asked).toEqual([]);
  leave();
  leave();
  await settle();
  expect([asked, people()]).toEqual([["1"], ["7"]]);
  await clock.advance(5_000);
  expect([asked, people()]).toEqual([
    ["1", "1"],
    ["7", "8"],
  ]);
});

it("takes no answer that is older than the guild's description", async () => {
  const answers: ((members: Member[]) => void)[] = [];
  const held = () => new Promise<Member[]>((resolve) => answers.push(resolve));
  const { store, leave, people } = start(held, held);
  leave();
  store.dispatch({ type: "guild_create", guild: guild({ large: true, member_count: 251, members: [member("7")] }) });
  leave();
  answers[0]?.([member("7"), member("9")]);
  await settle();
  expect(people()).toEqual(["7"]);
  answers[1]?.([member("7"), member("8")]);
  await settle();
  expect(people()).toEqual(["7", "8"]);
});

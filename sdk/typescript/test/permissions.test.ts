import { describe, expect, it } from "vitest";
import { allows, Permission, permissionsOf } from "../src/permissions.ts";
import { channel, guild } from "./samples.ts";

const { sendMessages, viewChannel, administrator, kickMembers } = Permission;
const mods = { id: "2", name: "mods", color: 0, position: 1, permissions: kickMembers.toString() };
const plain = guild({ roles: [...guild().roles, mods] });
const alice = { userId: "8", roles: ["2"] };
const rule = (id: string, type: 0 | 1, allow: bigint, deny: bigint) => ({ id, type, allow: allow.toString(), deny: deny.toString() });

describe("permissions", () => {
  it("give the owner everything and a stranger nothing", () => {
    expect(allows(permissionsOf(plain, { userId: "7", roles: [] }), administrator)).toBe(true);
    expect(permissionsOf(plain, undefined)).toBe(0n);
  });

  it("add up over roles", () => {
    expect(allows(permissionsOf(plain, alice), kickMembers | sendMessages)).toBe(true);
  });

  it("let a role's permission beat everyone's denial, and a member's denial beat both", () => {
    const closed = { ...channel("10"), permission_overwrites: [rule("1", 0, 0n, sendMessages), rule("2", 0, sendMessages, 0n)] };
    expect(allows(permissionsOf(plain, alice, closed), sendMessages)).toBe(true);
    expect(allows(permissionsOf(plain, { userId: "9", roles: [] }, closed), sendMessages)).toBe(false);
    const muted = { ...closed, permission_overwrites: [...closed.permission_overwrites, rule("8", 1, 0n, sendMessages)] };
    expect(allows(permissionsOf(plain, alice, muted), sendMessages)).toBe(false);
    expect(allows(permissionsOf(plain, alice, muted), viewChannel)).toBe(true);
  });

  it("let an administrator pass every overwrite", () => {
    const boss = guild({ roles: [...guild().roles, { ...mods, permissions: administrator.toString() }] });
    const closed = { ...channel("10"), permission_overwrites: [rule("2", 0, 0n, viewChannel)] };
    expect(allows(permissionsOf(boss, alice, closed), viewChannel)).toBe(true);
  });
});

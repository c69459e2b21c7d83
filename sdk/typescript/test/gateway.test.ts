import { describe, expect, it } from "vitest";
import { Gateway, type Socket } from "../src/gateway/gateway.ts";
import { LoggedOutError, NetworkError } from "../src/rest/errors.ts";
import type { Connection } from "../src/store/state.ts";
import { FakeClock, settle } from "./fakeClock.ts";

interface Sent {
  readonly op: number;
  readonly d: Record<string, unknown>;
}

class FakeSocket implements Socket {
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onopen: Socket["onopen"] = null;
  onerror: Socket["onerror"] = null;
  readonly sent: Sent[] = [];
  closedWith: number | undefined;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  give(frame: object): void {
    this.onmessage?.call(this as never, { data: JSON.stringify(frame) } as MessageEvent);
  }

  drop(code: number): void {
    this.onclose?.call(this as never, { code } as CloseEvent);
  }

  hello(): void {
    this.give({ op: 10, d: { heartbeat_interval: 1_000 } });
  }

  ready(seq = 5): void {
    this.give({ op: 0, t: "READY", s: seq, d: { session_id: "s1" } });
  }
}

function start(token: (refused?: string) => Promise<string> = async () => "token") {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  const dispatched: string[] = [];
  const connections: Connection["status"][] = [];
  const gateway = new Gateway({
    url: "wss://host/gateway",
    clock,
    token,
    onDispatch: (name) => dispatched.push(name),
    onConnection: (connection) => connections.push(connection.status),
    connect: (url) => {
      expect(url).toBe("wss://host/gateway?v=10&encoding=json");
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
  });
  gateway.start();
  const last = () => sockets.at(-1) as FakeSocket;
  return { gateway, clock, sockets, dispatched, connections, last };
}

describe("the gateway", () => {
  it("identifies, then resumes where the last stored dispatch stood", async () => {
    const { clock, last, sockets, connections } = start();
    await settle();
    last().hello();
    expect(last().sent[0]).toMatchObject({ op: 2, d: { token: "token" } });
    last().ready(5);
    last().give({ op: 0, t: "MESSAGE_CREATE", s: 9, d: {} });
    last().drop(1012);
    await clock.advance(10_000);
    expect(sockets).toHaveLength(2);
    last().hello();
    expect(last().sent[0]).toEqual({ op: 6, d: { token: "token", session_id: "s1", seq: 9 } });
    last().give({ op: 0, t: "RESUMED", s: 9, d: {} });
    expect(connections.at(-1)).toBe("live");
  });

  it("counts a dispatch as received only after it was stored", async () => {
    const clock = new FakeClock();
    const sockets: FakeSocket[] = [];
    const gateway = new Gateway({
      url: "wss://host/gateway",
      clock,
      token: async () => "token",
      onDispatch: (name) => {
        if (name === "BROKEN") throw new Error("The store failed.");
      },
      onConnection: () => {},
      connect: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
    });
    gateway.start();
    await settle();
    const first = sockets[0] as FakeSocket;
    first.hello();
    first.ready(5);
    expect(() => first.give({ op: 0, t: "BROKEN", s: 6, d: {} })).toThrow();
    first.drop(1006);
    await clock.advance(10_000);
    sockets[1]?.hello();
    expect(sockets[1]?.sent[0]).toMatchObject({ op: 6, d: { seq: 5 } });
  });

  it("beats with the last seq and leaves a connection that does not answer", async () => {
    const { clock, last, sockets } = start();
    await settle();
    const first = last();
    first.hello();
    first.ready(7);
    await clock.advance(500);
    expect(first.sent.at(-1)).toEqual({ op: 1, d: 7 });
    first.give({ op: 11 });
    await clock.advance(1_000);
    expect(first.sent.filter((frame) => frame.op === 1)).toHaveLength(2);
    await clock.advance(1_000);
    expect(first.closedWith).toBe(4900);
    await clock.advance(1_000);
    expect(sockets).toHaveLength(2);
  });

  it("answers a heartbeat the instance asks for", async () => {
    const { last } = start();
    await settle();
    last().hello();
    last().give({ op: 1 });
    expect(last().sent.at(-1)).toMatchObject({ op: 1 });
  });

  it("identifies anew after op 9, a moment later, and never resumes the old session", async () => {
    const { clock, last } = start();
    await settle();
    last().hello();
    last().ready(5);
    last().drop(4000);
    await clock.advance(10_000);
    last().hello();
    last().give({ op: 9, d: false });
    expect(last().sent).toHaveLength(1);
    await clock.advance(1_000);
    last().give({ op: 11 });
    await clock.advance(1_000);
    expect(last().sent.filter((frame) => frame.op === 2)).toHaveLength(1);
    last().drop(1006);
    await clock.advance(10_000);
    last().hello();
    expect(last().sent[0]?.op).toBe(2);
  });

  it("reconnects at op 7 and resumes", async () => {
    const { clock, last } = start();
    await settle();
    last().hello();
    last().ready(5);
    last().give({ op: 7 });
    await clock.advance(10_000);
    last().hello();
    expect(last().sent[0]?.op).toBe(6);
  });

  it("forgets the session when the instance does not know its seq", async () => {
    const { clock, last } = start();
    await settle();
    last().hello();
    last().ready(5);
    last().drop(4007);
    await clock.advance(10_000);
    last().hello();
    expect(last().sent[0]?.op).toBe(2);
  });

  it("renews a refused token once, then ends", async () => {
    const refused: (string | undefined)[] = [];
    const { last, connections } = start(async (not) => {
      refused.push(not);
      return not ? "renewed" : "token";
    });
    await settle();
    last().drop(4004);
    await settle();
    expect(refused).toEqual([undefined, "token"]);
    last().hello();
    expect(last().sent[0]).toMatchObject({ d: { token: "renewed" } });
    last().drop(4004);
    await settle();
    expect(connections.at(-1)).toBe("ended");
  });

  it("ends when the login has ended, but waits while there is no network", async () => {
    const ended = start(() => Promise.reject(new LoggedOutError()));
    await settle();
    expect(ended.connections.at(-1)).toBe("ended");
    const offline = start(() => Promise.reject(new NetworkError("down")));
    await settle();
    expect(offline.connections.at(-1)).toBe("waiting");
  });

  it("backs off up to ten seconds, and hurries when told", async () => {
    const { clock, last, sockets, gateway } = start();
    for (let round = 0; round < 8; round++) {
      await settle();
      last().drop(1006);
      await clock.advance(10_000);
    }
    const before = sockets.length;
    last().drop(1006);
    gateway.hurry();
    await settle();
    expect(sockets).toHaveLength(before + 1);
    expect(before).toBe(9);
  });

  it("asks a connection whether it still lives, and leaves it if nothing comes", async () => {
    const { clock, last, sockets, gateway } = start();
    await settle();
    const first = last();
    clock.chance = 0.99;
    first.give({ op: 10, d: { heartbeat_interval: 60_000 } });
    first.ready(5);
    gateway.hurry();
    expect(first.sent.at(-1)).toEqual({ op: 1, d: 5 });
    first.give({ op: 11 });
    await clock.advance(6_000);
    expect(sockets).toHaveLength(1);
    gateway.hurry();
    await clock.advance(6_000);
    expect(first.closedWith).toBe(4900);
    expect(sockets).toHaveLength(2);
  });

  it("gives up a connection that never says hello", async () => {
    const { clock, last, sockets } = start();
    await settle();
    const first = last();
    await clock.advance(10_000);
    expect(first.closedWith).toBe(4900);
    await clock.advance(1_000);
    expect(sockets).toHaveLength(2);
  });

  it("does nothing any more after it was stopped", async () => {
    const { clock, last, sockets, gateway } = start();
    await settle();
    last().hello();
    last().ready();
    gateway.stop();
    expect(last().closedWith).toBe(1000);
    await clock.advance(100_000);
    expect([sockets.length, clock.waiting]).toEqual([1, 0]);
  });
});

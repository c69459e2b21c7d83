import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Client } from "../src/client.ts";
import type { Socket } from "../src/gateway/gateway.ts";
import { LoggedOutError, NetworkError } from "../src/rest/errors.ts";
import { Rest } from "../src/rest/rest.ts";
import { Tokens } from "../src/rest/tokens.ts";
import { Transport } from "../src/rest/transport.ts";
import { FakeClock, settle } from "./fakeClock.ts";
import { guild, user } from "./samples.ts";

interface Request {
  readonly path: string;
  readonly token: string | null;
  readonly body: unknown;
  readonly headers: Headers;
}

function start(answer: (request: Request, index: number) => Response) {
  const clock = new FakeClock();
  const requests: Request[] = [];
  const transport = new Transport({
    clock,
    web: true,
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers);
      const body = init?.body ? JSON.parse(String(init.body)) : null;
      const request = { path: String(input), token: headers.get("Authorization"), body, headers };
      requests.push(request);
      return answer(request, requests.length - 1);
    },
  });
  const tokens = new Tokens(transport, { clock });
  return { clock, requests, tokens, rest: new Rest(transport, tokens), transport };
}

const grant = (token: string) => Response.json({ user: user("7"), access_token: token, expires_in: 900 });
const refused = (status: number, error: string) => Response.json({ code: 0, error, message: error, request_id: "r1" }, { status });

describe("tokens", () => {
  it("are renewed a minute before they end, once for all who ask", async () => {
    const { clock, requests, tokens } = start((_, index) => grant(`t${index}`));
    expect(await Promise.all([tokens.current(), tokens.current()])).toEqual(["t0", "t0"]);
    await clock.advance(830_000);
    expect(await tokens.current()).toBe("t0");
    await clock.advance(20_000);
    expect(await tokens.current()).toBe("t1");
    expect(requests).toHaveLength(2);
    expect(requests[0]?.headers.get("X-Nexus-Client")).toBe("web");
  });

  it("are renewed once when the instance refuses one, and the request is sent again", async () => {
    const { requests, rest } = start((request, index) => {
      if (request.path.endsWith("/refresh")) return grant(`t${index}`);
      return request.token === "Bearer t0" ? refused(401, "invalid_token") : Response.json(user("7"));
    });
    expect((await rest.me()).id).toBe("7");
    expect(requests.map((request) => request.path.split("/").at(-1))).toEqual(["refresh", "@me", "refresh", "@me"]);
  });

  it("are kept when a password was wrong", async () => {
    const { requests, rest } = start((request) => (request.path.endsWith("/refresh") ? grant("t") : refused(401, "bad_credentials")));
    await expect(rest.changePassword({ password: "a", new_password: "b" })).rejects.toMatchObject({
      reason: "bad_credentials",
      requestId: "r1",
    });
    expect(requests).toHaveLength(2);
  });

  it("end the login when the refresh is refused, but not when nothing answers", async () => {
    let ended = 0;
    const gone = start(() => refused(401, "token_reused"));
    gone.tokens.onEnd = () => ended++;
    await expect(gone.tokens.current()).rejects.toBeInstanceOf(LoggedOutError);
    expect(ended).toBe(1);
    await expect(gone.tokens.current()).rejects.toBeInstanceOf(LoggedOutError);
    expect(gone.requests).toHaveLength(1);
    const down = start(() => {
      throw new TypeError("fetch failed");
    });
    down.tokens.onEnd = () => ended++;
    await expect(down.tokens.current()).rejects.toBeInstanceOf(NetworkError);
    const busy = start(() => refused(503, "unavailable"));
    busy.tokens.onEnd = () => ended++;
    await expect(busy.tokens.current()).rejects.toMatchObject({ status: 503 });
    expect(ended).toBe(1);
  });
});

describe("the transport", () => {
  it("waits out a short 429 and hands on a long one", async () => {
    const limited = (after: string) => Response.json({ error: "rate_limited" }, { status: 429, headers: { "Retry-After": after } });
    const { clock, transport, requests } = start((_, index) =>
      index === 0 ? limited("2") : index === 1 ? Response.json({ ok: 1 }) : limited("40"),
    );
    const first = transport.send({ method: "GET", path: "/x" });
    await clock.advance(2_000);
    expect(await first).toEqual({ ok: 1 });
    await expect(transport.send({ method: "GET", path: "/x" })).rejects.toMatchObject({ retryAfterS: 40 });
    expect(requests).toHaveLength(3);
  });

  it("sends JSON as exactly application/json, and nothing without a body", async () => {
    const { transport, requests } = start(() => new Response(null, { status: 204 }));
    await transport.send({ method: "POST", path: "/x", body: {} });
    await transport.send({ method: "GET", path: "/x" });
    expect(requests.map((request) => request.headers.get("Content-Type"))).toEqual(["application/json", null]);
  });
});

/** Channels of one name hear each other at once, but not themselves. */
class FakeBroadcastChannel {
  static readonly open = new Set<FakeBroadcastChannel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor() {
    FakeBroadcastChannel.open.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of FakeBroadcastChannel.open) if (other !== this) other.onmessage?.({ data: structuredClone(data) });
  }
  close(): void {
    FakeBroadcastChannel.open.delete(this);
  }
}

describe("tabs of one browser", () => {
  beforeEach(() => vi.stubGlobal("BroadcastChannel", FakeBroadcastChannel));
  afterEach(() => {
    FakeBroadcastChannel.open.clear();
    vi.unstubAllGlobals();
  });

  const grantOf = (id: string, token: string) => ({ user: user(id), access_token: token, expires_in: 900 });

  /** One tab; `cookie.user` is whose login the shared cookie holds. */
  function tab(cookie: { user: string; isDown?: boolean }) {
    const clock = new FakeClock();
    const requests: { path: string; token: string | null }[] = [];
    const held: (() => void)[] = [];
    let hold = false;
    let socket: Socket | null = null;
    const client = new Client({
      web: true,
      clock,
      connect: () => {
        socket = { send() {}, close() {}, onmessage: null, onclose: null, onopen: null, onerror: null };
        return socket;
      },
      fetch: async (input, init) => {
        const request = { path: String(input), token: new Headers(init?.headers).get("Authorization") };
        requests.push(request);
        if (hold) await new Promise<void>((resolve) => held.push(resolve));
        if (cookie.isDown) throw new TypeError("fetch failed");
        if (request.path.endsWith("/refresh")) return Response.json(grantOf(cookie.user, `of ${cookie.user}, ${requests.length}`));
        if (request.path.endsWith("/logout")) return new Response(null, { status: 204 });
        return Response.json({ error: "invalid_token" }, { status: 401 });
      },
    });
    client.tokens.accept(grantOf(cookie.user, `of ${cookie.user}`));
    client.start();
    client.store.dispatch({ type: "ready", user: user(cookie.user), guildIds: ["1"], reads: [] });
    client.store.dispatch({ type: "guild_create", guild: guild() });
    const sent = () => requests.filter((request) => request.path.endsWith("/messages"));
    const release = () => {
      hold = false;
      for (const go of held.splice(0)) go();
    };
    const turnAway = () => socket?.onclose?.call(socket as WebSocket, { code: 4004 } as CloseEvent);
    return { client, clock, sent, turnAway, holdRequests: () => (hold = true), release, status: () => client.store.state().connection };
  }

  it("share the tokens of one account", async () => {
    const first = tab({ user: "7" });
    const second = tab({ user: "7" });
    second.client.tokens.accept(grantOf("7", "newer"));
    expect(await first.client.tokens.current()).toBe("newer");
  });

  it("stop when another account signs in, and send nothing as that one", async () => {
    const cookie = { user: "7" };
    const first = tab(cookie);
    first.holdRequests();
    await first.clock.advance(880_000);
    first.client.outbox.post("10", "from seven");
    await settle();
    cookie.user = "8";
    const second = tab(cookie);
    expect(first.status()).toMatchObject({ status: "ended", successor: { id: "8" } });
    first.release();
    await first.clock.advance(60_000);
    expect(first.sent()).toEqual([]);
    await expect(first.client.tokens.current()).rejects.toBeInstanceOf(LoggedOutError);
    await expect(first.client.rest.me()).rejects.toBeInstanceOf(LoggedOutError);
    expect(second.status().status).not.toBe("ended");
    expect(await second.client.tokens.current()).toBe("of 8");
  });

  it("stop when the shared cookie turns out to be another account's", async () => {
    const cookie = { user: "7" };
    const { client, clock, sent, status } = tab(cookie);
    cookie.user = "8";
    await clock.advance(880_000);
    client.outbox.post("10", "from seven");
    await clock.advance(60_000);
    expect(status()).toMatchObject({ status: "ended", successor: { id: "8" } });
    expect(sent()).toEqual([]);
  });

  it("do not renew a refused token of one account by that of the next", async () => {
    const cookie = { user: "7" };
    const { client, holdRequests, release, sent } = tab(cookie);
    holdRequests();
    client.outbox.post("10", "from seven");
    await settle();
    client.tokens.accept(grantOf("8", "of 8"));
    release();
    await settle();
    expect(sent()).toEqual([{ path: "/api/v1/channels/10/messages", token: "Bearer of 7" }]);
    expect(await client.tokens.current()).toBe("of 8");
  });

  it("leave nothing of one login to the next on the same page", async () => {
    const cookie = { user: "7" };
    const { client, clock, sent } = tab(cookie);
    client.tokens.forget();
    client.tokens.accept(grantOf("8", "of 8"));
    client.outbox.post("10", "from seven");
    await clock.advance(10_000);
    expect(sent()).toEqual([]);
  });

  it("hold no login that the gateway turned away twice", async () => {
    const { client, turnAway, status } = tab({ user: "7" });
    await settle();
    turnAway();
    await settle();
    turnAway();
    expect(status()).toMatchObject({ status: "ended" });
    expect(client.store.state().me).toBeNull();
    await expect(client.tokens.current()).rejects.toBeInstanceOf(LoggedOutError);
  });

  it("stay signed in when logging out reaches nobody, and forget after an answer", async () => {
    const cookie = { user: "7", isDown: true };
    const first = tab(cookie);
    const second = tab(cookie);
    await expect(first.client.logout()).rejects.toBeInstanceOf(NetworkError);
    expect([first.status().status, second.status().status]).toEqual(["connecting", "connecting"]);
    expect(await first.client.tokens.current()).toBe("of 7");
    cookie.isDown = false;
    await first.client.logout();
    expect([first.status(), second.status()]).toEqual([
      { status: "ended", successor: null },
      { status: "ended", successor: null },
    ]);
  });
});

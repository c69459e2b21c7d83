import { describe, expect, it } from "vitest";
import { LoggedOutError, NetworkError } from "../src/rest/errors.ts";
import { Rest } from "../src/rest/rest.ts";
import { Tokens } from "../src/rest/tokens.ts";
import { Transport } from "../src/rest/transport.ts";
import { FakeClock } from "./fakeClock.ts";
import { user } from "./samples.ts";

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

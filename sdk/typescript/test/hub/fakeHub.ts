/** A hub made of a fake `fetch` and fake sockets, on a clock that moves when told. */
import { NexusClient, type NexusClientOptions } from "../../src/hub/client.ts";
import type { HubError } from "../../src/hub/errors.ts";
import type { HubEvent } from "../../src/hub/events.ts";
import type { HubSocket } from "../../src/hub/stream.ts";
import { FakeClock, settle } from "../fakeClock.ts";

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string | null;
}

export class FakeSocket implements HubSocket {
  onopen: HubSocket["onopen"] = null;
  onmessage: HubSocket["onmessage"] = null;
  onclose: HubSocket["onclose"] = null;
  onerror: HubSocket["onerror"] = null;
  readonly url: string;
  readonly sent: unknown[] = [];
  isClosed = false;

  constructor(url: string) {
    this.url = url;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.isClosed = true;
  }

  async give(...frames: object[]): Promise<void> {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) } as never);
    await settle();
  }

  async drop(code: number): Promise<void> {
    this.onclose?.({ code } as never);
    await settle();
  }

  /** Opens, and answers the subscription. */
  async begin(position: number, more: object = {}): Promise<void> {
    this.onopen?.({} as never);
    await this.give({ status: "subscribed", events: [], validEvents: [], invalidEvents: [], position, gap: false, ...more });
  }
}

export function event(position: number): HubEvent {
  return { id: String(position), position, event: "GAUGE:READING", payload: { level: position }, source: "default", timestamp: 5 };
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

export interface FakeHub {
  readonly clock: FakeClock;
  readonly sockets: FakeSocket[];
  readonly asked: Asked[];
  readonly problems: HubError[];
  readonly client: NexusClient;
  /** The newest socket. */
  readonly last: () => FakeSocket;
  /** What the hub answers; an `Error` is thrown, as when nobody is there. */
  answer: (asked: Asked) => Response | Error;
}

export function fakeHub(options: Partial<NexusClientOptions> = {}): FakeHub {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  const asked: Asked[] = [];
  const problems: HubError[] = [];
  const hub: FakeHub = {
    clock,
    sockets,
    asked,
    problems,
    answer: (_: Asked): Response | Error => json(200, { ticket: "t/1", expires_in: 30 }),
    last: (): FakeSocket => {
      const socket = sockets.at(-1);
      if (!socket) throw new Error("no socket was opened");
      return socket;
    },
    client: new NexusClient({
      url: "https://hub.example.org/",
      token: "nxa_1",
      clock,
      onError: (problem) => {
        problems.push(problem);
      },
      WebSocket: class extends FakeSocket {
        constructor(url: string) {
          super(url);
          sockets.push(this);
        }
      },
      fetch: async (url, request = {}) => {
        const path = String(url).replace("https://hub.example.org", "");
        const call = {
          method: request.method ?? "GET",
          path,
          headers: new Headers(request.headers),
          body: (request.body as string | null) ?? null,
        };
        asked.push(call);
        const answer = hub.answer(call);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      ...options,
    }),
  };
  return hub;
}

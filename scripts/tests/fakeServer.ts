/** A server that shows whatever a test wants: a view of a log, routes that answer something else, a relay that may lie. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { Deadline, Http } from "../transparency/http.ts";
import { consistencyPath, type HeadJson, inclusionPath, leafOf, type View } from "./fakeLog.ts";

const ANSWERED_AT_MS = 0;

export interface Behaviour {
  view: View;
  /** Answers instead of the view; undefined leaves it to the view, "hang" never answers. */
  instead?: (url: URL) => unknown;
  /** What the relay makes of a frame that it delivers; null drops it, "nobody" tells the sender that nobody is there. */
  relay?: (text: string) => string | null;
  relayBytesMax?: number;
}

/** An answer with a status of its own. */
export class Answer {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

export interface Running {
  readonly http: Http;
  readonly url: string;
  /** Bodies that were posted to `/did/register`. */
  readonly registered: unknown[];
  stop(): void;
}

/** Answers one route otherwise. */
export function route(path: string, answer: (url: URL) => unknown): (url: URL) => unknown {
  return (url) => (url.pathname === path ? answer(url) : undefined);
}

export async function serve(behaviour: Behaviour, timeoutMs = 20_000): Promise<Running> {
  const registered: unknown[] = [];
  const server = createServer((request, answer) => {
    const url = new URL(request.url ?? "/", "http://fake");
    const body: Buffer[] = [];
    request.on("data", (chunk: Buffer) => body.push(chunk));
    request.on("end", () => {
      if (request.method === "POST") registered.push(JSON.parse(Buffer.concat(body).toString()));
      const instead = behaviour.instead?.(url);
      if (instead === "hang") return;
      const shown = instead === undefined ? honestly(behaviour.view, url) : instead instanceof Answer ? instead : new Answer(200, instead);
      answer.writeHead(shown.status, { "content-type": "application/json" }).end(JSON.stringify(shown.body));
    });
  });
  relay(server, behaviour);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sockets = new Set<Duplex>();
  server.on("upgrade", (_, socket) => sockets.add(socket));
  const stop = () => {
    server.close();
    server.closeAllConnections();
    for (const socket of sockets) socket.destroy();
  };
  return { http: new Http(new URL(url), new Deadline(timeoutMs)), url, registered, stop };
}

/** What an honest server answers. */
export function honestly(view: View, url: URL): Answer {
  const number = (name: string, otherwise: number) => Number(url.searchParams.get(name) ?? otherwise);
  const hashes = view.leaves.map(leafOf);
  const size = view.heads.at(-1)?.tree_size ?? 0;
  switch (url.pathname) {
    case "/health":
      return new Answer(200, {
        status: "healthy",
        timestamp: ANSWERED_AT_MS,
        users_count: view.leaves.length,
        sth_count: view.heads.length,
      });
    case "/.well-known/key-transparency":
      return new Answer(200, document(view));
    case "/sth/latest":
      return size === 0 ? new Answer(404, { detail: "No STH found" }) : new Answer(200, view.heads.at(-1));
    case "/sth/chain":
      return new Answer(200, chain(view.heads, number("before", Number.MAX_SAFE_INTEGER), number("limit", 10)));
    case "/did/leaves":
      return new Answer(200, numbered(view).slice(number("from", 0), number("from", 0) + number("limit", 100)));
    case "/sth/proof/inclusion": {
      const [index, of] = [number("leaf_index", 0), number("tree_size", 0)];
      const path = inclusionPath(index, hashes.slice(0, of)).map((hash) => hash.toString("base64"));
      return new Answer(200, { leaf_index: index, tree_size: of, leaf_hash: hashes[index]?.toString("base64"), path });
    }
    case "/sth/proof/consistency": {
      const [first, second] = [number("first", 0), number("second", 0)];
      return new Answer(200, {
        first,
        second,
        path: consistencyPath(first, hashes.slice(0, second)).map((hash) => hash.toString("base64")),
      });
    }
    default:
      return new Answer(404, { detail: "not found" });
  }
}

export function document(view: View): object {
  return {
    version: 1,
    log_id: view.logId,
    log_key: view.cosigners[0]?.public_key,
    policy: { t: 2, n: 3 },
    cosigners: view.cosigners,
    operators: ["this server"],
    single_operator: true,
    statement: "single-operator log",
  };
}

/** A leaf that was given a number keeps it, others have that of their place. */
function numbered(view: View): object[] {
  return view.leaves.map((leaf, leaf_index) => ({ leaf_index, ...leaf }));
}

function chain(heads: readonly HeadJson[], before: number, limit: number): HeadJson[] {
  return heads
    .filter((head) => head.tree_size < before)
    .slice(-limit)
    .reverse();
}

/** Just enough of a relay, and of RFC 6455, for one conversation. */
function relay(server: Server, behaviour: Behaviour): void {
  const sessions = new Map<string, Duplex>();
  server.on("upgrade", (request, socket) => {
    const id = (request.url ?? "").split("/").at(-1) ?? "";
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    sessions.set(id, socket);
    socket.on("error", () => sessions.delete(id));
    let unread = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (let text = read(); text !== null; text = read()) answer(text);
    });
    const read = (): string | null => {
      const [short, at] = [(unread[1] ?? 0) & 0x7f, unread.length];
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (at < head) return null;
      const length = short === 127 ? Number(unread.readBigUInt64BE(2)) : short === 126 ? unread.readUInt16BE(2) : short;
      if (at < head + 4 + length) return null;
      const mask = unread.subarray(head, head + 4);
      const payload = Buffer.from(unread.subarray(head + 4, head + 4 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
      const isClose = ((unread[0] ?? 0) & 0x0f) === 8;
      unread = unread.subarray(head + 4 + length);
      if (isClose) socket.end();
      return isClose ? null : payload.toString();
    };
    const answer = (text: string): void => {
      if (Buffer.byteLength(text) > (behaviour.relayBytesMax ?? 131_072)) {
        socket.write(Buffer.from([0x88, 2, 0x03, 0xf1]));
        return;
      }
      const { type, from, to } = JSON.parse(text) as Record<string, string | undefined>;
      const peer = sessions.get(to ?? "");
      if (type === "ping") socket.write(framed(JSON.stringify({ type: "pong", timestamp: ANSWERED_AT_MS })));
      else if (from !== id) socket.write(framed(JSON.stringify({ type: "error", error: "sender_mismatch" })));
      else if (!peer) socket.write(framed(JSON.stringify({ type: "error", error: "undeliverable", to })));
      else {
        const delivered = behaviour.relay ? behaviour.relay(text) : text;
        if (delivered === "nobody") socket.write(framed(JSON.stringify({ type: "error", error: "undeliverable", to })));
        else if (delivered !== null) peer.write(framed(delivered));
      }
    };
  });
}

function framed(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(payload.length < 126 ? 2 : 10);
  head.writeUInt8(0x81, 0);
  head.writeUInt8(payload.length < 126 ? payload.length : 127, 1);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

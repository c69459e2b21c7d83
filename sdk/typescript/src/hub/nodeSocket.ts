/**
 * A WebSocket for Node 20, which has none: text frames only, no extensions, no subprotocols. Everything newer has its own.
 *
 * Node's modules are asked for when they are needed, so that a bundler for the browser finds nothing to resolve here.
 * Source: RFC 6455.
 */
import type { HubSocket } from "./stream.ts";

/** What a server appends to our key before it hashes it. Source: RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** No event is as long. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** Source: RFC 6455 section 7.4.1. */
const [NORMAL, PROTOCOL_ERROR, NO_CODE, VANISHED, TOO_BIG] = [1000, 1002, 1005, 1006, 1009];
const Op = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** The part of Node's byte streams that is used. */
interface Duplex {
  on(name: "data", act: (chunk: Uint8Array) => void): void;
  on(name: "error" | "close" | "end", act: () => void): void;
  write(bytes: Uint8Array): void;
  end(): void;
  destroy(): void;
}
interface Answer {
  readonly headers: Readonly<Record<string, string | undefined>>;
}
interface Request {
  on(name: "error" | "response", act: () => void): void;
  on(name: "upgrade", act: (answer: Answer, stream: Duplex, head: Uint8Array) => void): void;
  end(): void;
  destroy(): void;
}
interface Http {
  request(url: string, options: { readonly headers: Readonly<Record<string, string>>; readonly agent: false }): Request;
}
interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
}

/** Opens a socket by Node's own `http`. */
export function openNodeSocket(url: string): HubSocket {
  const node = (globalThis as { process?: NodeProcess }).process;
  const http = node?.getBuiltinModule?.(url.startsWith("wss:") ? "node:https" : "node:http") as Http | undefined;
  if (!http) throw new TypeError("This platform has no WebSocket; pass one as the option `WebSocket`.");
  return new NodeSocket(http, url.replace(/^ws/, "http"));
}

class NodeSocket implements HubSocket {
  onopen: HubSocket["onopen"] = null;
  onmessage: HubSocket["onmessage"] = null;
  onclose: HubSocket["onclose"] = null;
  onerror: HubSocket["onerror"] = null;
  readonly #request: Request;
  #stream: Duplex | undefined;
  #unread = new Uint8Array(0);
  #parts: Uint8Array[] = [];
  #isClosed = false;

  constructor(http: Http, url: string) {
    const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
    const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": key };
    this.#request = http.request(url, { headers, agent: false });
    this.#request.on("error", () => this.#end(VANISHED));
    this.#request.on("response", () => {
      this.#request.destroy();
      this.#end(VANISHED);
    });
    this.#request.on("upgrade", (answer, stream, head) => void this.#upgrade(key, answer, stream, head));
    this.#request.end();
  }

  send(text: string): void {
    this.#write(Op.text, new TextEncoder().encode(text));
  }

  close(code: number = NORMAL): void {
    this.#write(Op.close, Uint8Array.of(code >> 8, code & 0xff));
    this.#hangUp();
    this.#end(code);
  }

  async #upgrade(key: string, answer: Answer, stream: Duplex, head: Uint8Array): Promise<void> {
    this.#stream = stream;
    stream.on("error", () => this.#end(VANISHED));
    stream.on("close", () => this.#end(VANISHED));
    stream.on("end", () => this.#end(VANISHED));
    const expected = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + ACCEPT_SUFFIX));
    if (answer.headers["sec-websocket-accept"] !== btoa(String.fromCharCode(...new Uint8Array(expected))))
      return this.#fail(PROTOCOL_ERROR);
    if (this.#isClosed) return stream.destroy();
    this.onopen?.({} as never);
    if (head.length > 0) this.#read(head);
    stream.on("data", (chunk) => this.#read(chunk));
  }

  #read(chunk: Uint8Array): void {
    this.#unread = joined([this.#unread, chunk]);
    for (let next = cut(this.#unread); next && !this.#isClosed; next = cut(this.#unread)) {
      this.#unread = this.#unread.subarray(next.bytes);
      this.#take(next);
    }
    if (tooLong(this.#unread)) this.#fail(TOO_BIG);
  }

  #take({ op, isLast, payload }: Incoming): void {
    if (op === Op.ping) this.#write(Op.pong, payload);
    else if (op === Op.close) this.#leave(payload);
    else if (op === Op.text || op === Op.continuation) this.#collect(op, isLast, payload);
  }

  #collect(op: number, isLast: boolean, payload: Uint8Array): void {
    const size = this.#parts.reduce((sum, part) => sum + part.length, payload.length);
    if ((op === Op.text) !== (this.#parts.length === 0) || size > MESSAGE_BYTES_MAX) {
      this.#fail(PROTOCOL_ERROR);
      return;
    }
    this.#parts.push(payload);
    if (!isLast) return;
    const data = new TextDecoder().decode(joined(this.#parts));
    this.#parts = [];
    this.onmessage?.({ data } as never);
  }

  #leave(payload: Uint8Array): void {
    this.#write(Op.close, payload.subarray(0, 2));
    this.#hangUp();
    this.#end(payload.length >= 2 ? ((payload[0] ?? 0) << 8) | (payload[1] ?? 0) : NO_CODE);
  }

  #fail(code: number): void {
    this.#write(Op.close, Uint8Array.of(code >> 8, code & 0xff));
    this.#stream?.destroy();
    this.#end(code);
  }

  #hangUp(): void {
    this.#stream?.end();
    this.#stream?.destroy();
    if (!this.#stream) this.#request.destroy();
  }

  #write(op: number, payload: Uint8Array): void {
    if (!this.#isClosed) this.#stream?.write(frame(op, payload));
  }

  #end(code: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onclose?.({ code } as never);
  }
}

interface Incoming {
  readonly op: number;
  readonly isLast: boolean;
  readonly payload: Uint8Array;
  /** What the frame takes up in the stream. */
  readonly bytes: number;
}

/** Where the first frame's payload begins and how long it is. A server does not mask. */
function measure(bytes: Uint8Array): { headBytes: number; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const short = view.getUint8(1) & 0x7f;
  const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < headBytes) return undefined;
  return { headBytes, length: short === 127 ? Number(view.getBigUint64(2)) : short === 126 ? view.getUint16(2) : short };
}

/** No frame of ours is so long that it is worth waiting for. */
function tooLong(bytes: Uint8Array): boolean {
  return (measure(bytes)?.length ?? 0) > MESSAGE_BYTES_MAX;
}

/** The frame that the bytes begin with, if they hold all of it. */
function cut(bytes: Uint8Array): Incoming | undefined {
  const measured = measure(bytes);
  if (!measured || bytes.length < measured.headBytes + measured.length) return undefined;
  const end = measured.headBytes + measured.length;
  const first = bytes[0] ?? 0;
  return { op: first & 0x0f, isLast: (first & 0x80) !== 0, payload: bytes.slice(measured.headBytes, end), bytes: end };
}

/** One final, masked frame. */
function frame(op: number, payload: Uint8Array): Uint8Array {
  const mask = crypto.getRandomValues(new Uint8Array(4));
  const long = payload.length > 0xffff;
  const head = new DataView(new ArrayBuffer(payload.length < 126 ? 2 : long ? 10 : 4));
  head.setUint8(0, 0x80 | op);
  head.setUint8(1, 0x80 | (payload.length < 126 ? payload.length : long ? 127 : 126));
  if (long) head.setBigUint64(2, BigInt(payload.length));
  else if (payload.length >= 126) head.setUint16(2, payload.length);
  return joined([new Uint8Array(head.buffer), mask, payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

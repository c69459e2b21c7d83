/**
 * A small WebSocket client for text frames: Node 20 has none of its own. No extensions, no subprotocols.
 * Source: RFC 6455.
 */
import { createHash, randomBytes } from "node:crypto";
import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import type { Duplex } from "node:stream";

/** What a server appends to our key before it hashes it. Source: RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Close codes of our own: it broke the protocol, it gave none, it vanished. Source: RFC 6455 section 7.4.1. */
const [PROTOCOL_ERROR, NO_CODE, VANISHED] = [1002, 1005, 1006];
const Op = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** The other side ended it, with this code; 1006 if it just vanished. */
export class SocketClosed extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`the socket was closed with ${code}`);
    this.code = code;
  }
}

/** One connection. Messages wait until they are received. */
export class WebSocketClient {
  readonly #stream: Duplex;
  #unread = Buffer.alloc(0);
  #parts: Buffer[] = [];
  readonly #messages: string[] = [];
  #waiting: (() => void)[] = [];
  #closed: SocketClosed | null = null;
  private constructor(stream: Duplex, head: Buffer) {
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
    stream.on("error", () => this.#end(VANISHED));
    stream.on("close", () => this.#end(VANISHED));
    if (head.length > 0) this.#read(head);
  }

  /** Connects to an `http:`, `https:`, `ws:` or `wss:` address. */
  static open(url: URL, timeoutMs: number): Promise<WebSocketClient> {
    const key = randomBytes(16).toString("base64");
    const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": key };
    const isSecure = url.protocol === "https:" || url.protocol === "wss:";
    const address = new URL(url);
    address.protocol = isSecure ? "https:" : "http:";
    return new Promise((resolve, reject) => {
      const request = (isSecure ? secureRequest : plainRequest)(address, { headers, agent: false });
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${(timeoutMs / 1_000).toFixed(1)} s`)), timeoutMs);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      request.on("error", (why) => settle(() => reject(why)));
      request.on("response", (answer) =>
        settle(() => {
          request.destroy();
          reject(new Error(`the server answered ${answer.statusCode} instead of upgrading`));
        }),
      );
      request.on("upgrade", (answer, stream, head) =>
        settle(() => {
          const expected = createHash("sha1").update(`${key}${ACCEPT_SUFFIX}`).digest("base64");
          if (answer.headers["sec-websocket-accept"] === expected) return resolve(new WebSocketClient(stream, head));
          stream.destroy();
          reject(new Error("the server's Sec-WebSocket-Accept is not the answer to our key"));
        }),
      );
      request.end();
    });
  }

  /** Whether a message waits to be received. */
  get hasMessage(): boolean {
    return this.#messages.length > 0;
  }

  send(text: string): void {
    this.#write(Op.text, Buffer.from(text, "utf8"));
  }

  /** The next message. Throws `SocketClosed`, or an `Error` when nothing came in time. */
  async receive(timeoutMs: number): Promise<string> {
    await this.arrival(timeoutMs);
    return this.#messages.shift() ?? this.receive(timeoutMs);
  }

  /** Waits as `receive` does, but leaves the message where it is. */
  async arrival(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (this.#messages.length === 0) {
      if (this.#closed) throw this.#closed;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`nothing was received within ${(timeoutMs / 1_000).toFixed(1)} s`);
      await new Promise<void>((resolve) => {
        // The open socket keeps the program alive, not the timer of somebody who stopped caring.
        const timer = setTimeout(resolve, leftMs).unref();
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Leaves; nothing is awaited. */
  close(): void {
    if (!this.#closed) this.#write(Op.close, Buffer.from([0x03, 0xe8]));
    this.#stream.end(() => this.#stream.destroy());
  }

  #write(op: number, payload: Buffer): void {
    if (this.#stream.writable) this.#stream.write(frame(op, payload));
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    while (!this.#closed) {
      const next = cut(this.#unread);
      if (!next) return;
      this.#unread = this.#unread.subarray(next.bytes);
      this.#take(next);
    }
  }

  #take({ op, isLast, payload }: Incoming): void {
    if (op === Op.ping) this.#write(Op.pong, payload);
    if (op === Op.close) this.#leave(payload);
    if (op !== Op.text && op !== Op.continuation) return;
    const isStart = this.#parts.length === 0;
    const size = this.#parts.reduce((sum, part) => sum + part.length, payload.length);
    if ((op === Op.text) !== isStart || size > MESSAGE_BYTES_MAX) {
      this.#stream.destroy();
      this.#end(PROTOCOL_ERROR);
      return;
    }
    this.#parts.push(payload);
    if (!isLast) return;
    this.#messages.push(Buffer.concat(this.#parts).toString("utf8"));
    this.#parts = [];
    this.#wake();
  }

  #leave(payload: Buffer): void {
    this.#write(Op.close, payload.subarray(0, 2));
    this.#stream.end();
    this.#end(payload.length >= 2 ? payload.readUInt16BE(0) : NO_CODE);
  }

  #wake(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  #end(code: number): void {
    this.#closed ??= new SocketClosed(code);
    this.#wake();
  }
}

interface Incoming {
  readonly op: number;
  readonly isLast: boolean;
  readonly payload: Buffer;
  /** What the frame takes up in the stream. */
  readonly bytes: number;
}

/** The frame that the bytes begin with, if they hold all of it. A server does not mask. */
function cut(bytes: Buffer): Incoming | null {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < headBytes) return null;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < headBytes + length) return null;
  const first = bytes.readUInt8(0);
  const payload = bytes.subarray(headBytes, headBytes + length);
  return { op: first & 0x0f, isLast: (first & 0x80) !== 0, payload, bytes: headBytes + length };
}

/** One final, masked frame. */
function frame(op: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const long = payload.length > 0xffff;
  const head = Buffer.alloc(payload.length < 126 ? 2 : long ? 10 : 4);
  head.writeUInt8(0x80 | op, 0);
  head.writeUInt8(0x80 | (payload.length < 126 ? payload.length : long ? 127 : 126), 1);
  if (long) head.writeBigUInt64BE(BigInt(payload.length), 2);
  else if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  const masked = Buffer.from(payload);
  for (let at = 0; at < masked.length; at += 1) masked.writeUInt8(masked.readUInt8(at) ^ mask.readUInt8(at % 4), at);
  return Buffer.concat([head, mask, masked]);
}

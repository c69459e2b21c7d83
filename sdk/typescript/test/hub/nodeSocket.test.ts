import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { openNodeSocket } from "../../src/hub/nodeSocket.ts";

const running: (() => void)[] = [];
afterEach(() => {
  for (const stop of running.splice(0)) stop();
});

/** A server that upgrades, or not, and says what bytes it got. */
async function serve(accept = (key: string) => `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`) {
  const server = createServer((_, answer) => answer.writeHead(401).end());
  const got: Buffer[] = [];
  const upgraded = new Promise<Duplex>((resolve) => {
    server.on("upgrade", (request, stream) => {
      const hash = createHash("sha1")
        .update(accept(request.headers["sec-websocket-key"] ?? ""))
        .digest("base64");
      stream.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${hash}\r\n\r\n`,
      );
      stream.on("data", (chunk: Buffer) => got.push(chunk));
      running.push(() => stream.destroy());
      resolve(stream);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  running.push(() => server.close());
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/x`, upgraded, got, server };
}

function open(url: string) {
  const socket = openNodeSocket(url);
  const heard: unknown[] = [];
  const opened = new Promise<void>((resolve) => {
    socket.onopen = () => resolve();
  });
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }: { code: number }) => resolve(code);
  });
  socket.onmessage = ({ data }: { data: unknown }) => heard.push(data);
  return { socket, opened, closed, heard };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Takes the mask off the first frame. */
function plain(frame: Buffer): string {
  const mask = frame.subarray(2, 6);
  return Buffer.from(frame.subarray(6).map((byte, at) => byte ^ (mask[at % 4] ?? 0))).toString();
}

describe("the socket for a Node that has none", () => {
  it("reads frames of every length, in pieces, and joins fragments", async () => {
    const { url, upgraded } = await serve();
    const { opened, heard, socket } = open(url);
    const stream = await upgraded;
    await opened;
    const long = "l".repeat(300);
    const huge = "h".repeat(70_000);
    const head = Buffer.alloc(10);
    head.writeUInt8(0x81, 0);
    head.writeUInt8(127, 1);
    head.writeBigUInt64BE(70_000n, 2);
    const bytes = Buffer.concat([
      Buffer.from([0x81, 2, 0x68, 0x69]),
      Buffer.from([0x81, 126, 1, 44]),
      Buffer.from(long),
      head,
      Buffer.from(huge),
      Buffer.from([0x01, 1, 0x61, 0x89, 0, 0x80, 1, 0x62]),
    ]);
    stream.write(bytes.subarray(0, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    stream.write(bytes.subarray(1, 40_000));
    stream.write(bytes.subarray(40_000));
    await until(() => heard.length === 4);
    expect(heard).toEqual(["hi", long, huge, "ab"]);
    socket.close();
  });

  it("masks what it sends and answers pings", async () => {
    const { url, upgraded, got } = await serve();
    const { opened, socket } = open(url);
    const stream = await upgraded;
    await opened;
    socket.send("ahoj");
    await until(() => got.length === 1);
    expect([got[0]?.[0], got[0]?.[1], plain(got[0] as Buffer)]).toEqual([0x81, 0x84, "ahoj"]);
    stream.write(Buffer.from([0x89, 1, 0x37]));
    await until(() => got.length === 2);
    expect([got[1]?.[0], plain(got[1] as Buffer)]).toEqual([0x8a, "7"]);
    socket.close();
  });

  it("tells the other side's close code, and 1006 if it vanished", async () => {
    const polite = await serve();
    const first = open(polite.url);
    (await polite.upgraded).write(Buffer.from([0x88, 2, 0x13, 0x25]));
    expect(await first.closed).toBe(4901);
    const rude = await serve();
    const second = open(rude.url);
    (await rude.upgraded).destroy();
    expect(await second.closed).toBe(1006);
  });

  it.each([
    ["a frame longer than any event", [0x81, 127, 0, 0, 0, 0, 0x7f, 0, 0, 0], 1009],
    ["a continuation of nothing", [0x80, 1, 0x61], 1002],
  ])("hangs up on %s", async (_, bytes, code) => {
    const { url, upgraded } = await serve();
    const { closed } = open(url);
    (await upgraded).write(Buffer.from(bytes));
    expect(await closed).toBe(code);
  });

  it("is closed if the server refuses, or answers another key", async () => {
    const refusing = await serve();
    refusing.server.removeAllListeners("upgrade");
    expect(await open(refusing.url).closed).toBe(1006);
    const wrong = await serve((key) => key);
    expect(await open(wrong.url).closed).toBe(1002);
  });
});

/**
 * An encrypted conversation between two keys that live as long as this check: X25519, HKDF-SHA-256, AES-256-GCM. The relay carries it and
 * must change, drop and understand nothing.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { CheckFailed } from "./settings.ts";
import { sha256 } from "./transparency/bytes.ts";
import { Fault } from "./transparency/faults.ts";
import type { Http } from "./transparency/http.ts";
import { SocketClosed, WebSocketClient } from "./websocket.ts";

const STEP_MS_MAX = 15_000;
const SECRET_BYTES = 1_024;
/** RFC 6455 section 7.4.1: a message too big to process. */
const TOO_BIG = 1009;

/** Runs the whole conversation. Throws `CheckFailed` at the first thing that is not as the contract says. */
export async function checkRelay(http: Http, payloadBytesMax: number): Promise<void> {
  const [alice, bob] = await Promise.all([Peer.join(http), Peer.join(http)]);
  try {
    await roundTrip(alice, bob);
    await answersOfTheRelay(alice, bob);
    await limits(alice, bob, payloadBytesMax);
  } finally {
    alice.leave();
    bob.leave();
  }
}

/** Both send their key, then each sends the other a secret that comes back reversed. */
async function roundTrip(alice: Peer, bob: Peer): Promise<void> {
  alice.meet(await alice.carry(bob, alice.publicKey), await bob.carry(alice, bob.publicKey), "alice");
  bob.meet(alice.publicKey, bob.publicKey, "bob");
  const secret = randomBytes(SECRET_BYTES);
  const heard = bob.unseal(alice, await alice.carry(bob, alice.seal(bob, secret)));
  const back = alice.unseal(bob, await bob.carry(alice, bob.seal(alice, heard.reverse())));
  if (!back.reverse().equals(secret)) throw new CheckFailed("relay", "the secret that came back is not the one that was sent");
}

async function answersOfTheRelay(alice: Peer, bob: Peer): Promise<void> {
  const forged = await alice.ask({ from: bob.id, to: bob.id, payload: "x" });
  if (forged.type !== "error" || forged.error !== "sender_mismatch") {
    throw new CheckFailed("relay", `a frame in another's name is answered ${JSON.stringify(forged)}`);
  }
  const nobody = newId();
  const lost = await alice.ask({ from: alice.id, to: nobody, payload: "x" });
  if (lost.type !== "error" || lost.error !== "undeliverable" || lost.to !== nobody) {
    throw new CheckFailed("relay", `a frame to nobody is answered ${JSON.stringify(lost)}`);
  }
}

/** The largest frame arrives unchanged; one byte more ends the connection. */
async function limits(alice: Peer, bob: Peer, bytesMax: number): Promise<void> {
  const frameBytes = Buffer.byteLength(alice.frame(bob, ""));
  await alice.carry(bob, "x".repeat(bytesMax - frameBytes));
  alice.send(alice.frame(bob, "x".repeat(bytesMax - frameBytes + 1)));
  const answered = () => "answered";
  const is = await Promise.race([alice.arrival().then(answered, closing), bob.arrival().then(() => "delivered", closing)]);
  if (is !== `closed with ${TOO_BIG}`)
    throw new CheckFailed("relay", `a frame of ${bytesMax + 1} bytes is ${is}, not closed with ${TOO_BIG}`);
}

/** One side: a session at the relay and an ephemeral key. */
class Peer {
  readonly id: string;
  readonly publicKey: string;
  readonly #http: Http;
  readonly #socket: WebSocketClient;
  readonly #private: KeyObject;
  #keys: { readonly send: Buffer; readonly receive: Buffer } | null = null;

  private constructor(http: Http, id: string, socket: WebSocketClient) {
    const pair = generateKeyPairSync("x25519");
    this.id = id;
    this.#http = http;
    this.#socket = socket;
    this.#private = pair.privateKey;
    this.publicKey = pair.publicKey.export({ format: "der", type: "spki" }).toString("base64");
  }

  /** Connects, and waits for the answer to a ping: from then on the relay knows this session. */
  static async join(http: Http): Promise<Peer> {
    const id = newId();
    const url = http.url(`/ws/${id}`);
    const socket = await WebSocketClient.open(url, http.deadline.leftMs(STEP_MS_MAX)).catch((why: unknown) => {
      throw new Fault("unreachable", `the relay: ${why instanceof Error ? why.message : why}`);
    });
    const peer = new Peer(http, id, socket);
    const pong = await peer.ask({ type: "ping" });
    if (pong.type !== "pong" || !Number.isInteger(pong.timestamp)) {
      throw new CheckFailed("relay", `a ping is answered ${JSON.stringify(pong)}`);
    }
    return peer;
  }

  leave(): void {
    this.#socket.close();
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async receive(): Promise<string> {
    await this.arrival();
    return this.#socket.receive(1);
  }

  /** Waits for the next frame without taking it. */
  async arrival(): Promise<void> {
    try {
      await this.#socket.arrival(this.#http.deadline.leftMs(STEP_MS_MAX));
    } catch (why) {
      if (why instanceof SocketClosed) throw why;
      throw new Fault("unreachable", `the relay: ${why instanceof Error ? why.message : why}`);
    }
  }

  /** A frame with white space that a relay which writes JSON anew would lose. */
  frame(to: Peer, payload: string): string {
    return `{"from" : ${JSON.stringify(this.id)},  "to":${JSON.stringify(to.id)}, "payload":${JSON.stringify(payload)} }`;
  }

  /** Sends a payload, waits until the other side has the identical bytes, and answers what it has. */
  async carry(to: Peer, payload: string): Promise<string> {
    const sent = this.frame(to, payload);
    this.send(sent);
    // A sender that is refused or closed is told so; without the race we would wait for a frame that can't come.
    await Promise.race([to.arrival(), this.arrival()]).catch(closedEarly);
    if (this.#socket.hasMessage) throw new CheckFailed("relay", `a frame was answered ${(await this.receive()).slice(0, 120)}`);
    const received = await to.receive().catch(closedEarly);
    if (received !== sent)
      throw new CheckFailed("relay", `${sent.length} characters were sent, ${received.length} others arrived: ${received.slice(0, 120)}`);
    return (JSON.parse(received) as { payload: string }).payload;
  }

  /** Sends something to the relay itself. */
  async ask(question: object): Promise<Record<string, unknown>> {
    this.send(JSON.stringify(question));
    const text = await this.receive().catch(closedEarly);
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch {
      throw new CheckFailed("relay", `it answered no JSON, but ${JSON.stringify(text.slice(0, 80))}`);
    }
  }

  /** Derives one key for each direction; both sides know both public keys. */
  meet(alice: string, bob: string, role: "alice" | "bob"): void {
    const theirs = createPublicKey({ key: Buffer.from(role === "alice" ? bob : alice, "base64"), format: "der", type: "spki" });
    const shared = diffieHellman({ privateKey: this.#private, publicKey: theirs });
    const salt = sha256(Buffer.from(`${alice}\n${bob}`));
    const derive = (from: string) => Buffer.from(hkdfSync("sha256", shared, salt, `nexus/smoke/1 ${from}`, 32));
    const [mine, other] = role === "alice" ? ["alice", "bob"] : ["bob", "alice"];
    this.#keys = { send: derive(mine), receive: derive(other) };
  }

  seal(to: Peer, secret: Buffer): string {
    if (!this.#keys) throw new Error("two peers meet before they talk");
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#keys.send, nonce).setAAD(Buffer.from(`${this.id}\n${to.id}`));
    const box = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), box]).toString("base64");
  }

  unseal(from: Peer, sealed: string): Buffer {
    if (!this.#keys) throw new Error("two peers meet before they talk");
    const bytes = Buffer.from(sealed, "base64");
    const cipher = createDecipheriv("aes-256-gcm", this.#keys.receive, bytes.subarray(0, 12));
    cipher.setAuthTag(bytes.subarray(12, 28)).setAAD(Buffer.from(`${from.id}\n${this.id}`));
    try {
      return Buffer.concat([cipher.update(bytes.subarray(28)), cipher.final()]);
    } catch {
      throw new CheckFailed("relay", "what arrived does not decrypt");
    }
  }
}

function newId(): string {
  return `smoke-${randomBytes(16).toString("hex")}`;
}

/** How the relay ended a session; anything else is thrown on. */
function closing(why: unknown): string {
  if (why instanceof SocketClosed) return `closed with ${why.code}`;
  throw why;
}

function closedEarly(why: unknown): never {
  if (why instanceof SocketClosed) throw new CheckFailed("relay", `the relay closed a session with ${why.code}`);
  throw why;
}

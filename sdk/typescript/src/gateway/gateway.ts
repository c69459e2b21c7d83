/**
 * Keeps one gateway connection alive: connects with a fresh token, beats, resumes, backs off, and hands every dispatch to `store`
 * before it counts as received.
 */
import { backoffMs, type Clock, systemClock } from "../clock.ts";
import { LoggedOutError } from "../rest/errors.ts";
import type { Connection } from "../store/state.ts";
import { Close, type Command, type Frame, Session } from "./session.ts";

const RETRY_FIRST_MS = 500;
const RETRY_CAP_MS = 10_000;
/** A connection that has said nothing by then is given up. */
const HELLO_MS_MAX = 10_000;
/** Op 9: between these before identifying anew, so that a crowd does not do so at once. */
const IDENTIFY_AFTER_MS = [500, 3_000] as const;
/** How long a connection has to answer when it is asked whether it still lives. */
const PROBE_MS_MAX = 5_000;
/** Our own close code for a connection that died silently; 1000 would end the session. */
const CLOSE_ZOMBIE = 4900;

/** The part of a WebSocket that is used, so that tests can stand in for it. */
export type Socket = Pick<WebSocket, "send" | "close" | "onmessage" | "onclose" | "onopen" | "onerror">;

export interface GatewayOptions {
  /** As `wss://host/gateway`, without parameters. */
  readonly url: string;
  /** A token good for a minute; `refused` is one that the instance just turned away. */
  readonly token: (refused?: string) => Promise<string>;
  /** Stores a dispatch. It counts as received when this returns. */
  readonly onDispatch: (name: string, body: unknown) => void;
  readonly onConnection: (connection: Connection) => void;
  readonly clock?: Clock;
  readonly connect?: (url: string) => Socket;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #clock: Clock;
  readonly #session = new Session();
  #socket: Socket | null = null;
  #token = "";
  #attempt = 0;
  #generation = 0;
  #refusedOnce = false;
  #stopped = true;
  #hasBeenLive = false;
  /** READY or RESUMED came on the present connection. */
  #isLive = false;
  readonly #timers = new Set<() => void>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    void this.#connect();
  }

  /** Closes for good and forgets the session. */
  stop(): void {
    this.#stopped = true;
    this.#drop(1000);
    this.#session.forget();
    this.#hasBeenLive = false;
    this.#options.onConnection({ status: "idle" });
  }

  /**
   * The network came back, or somebody looks at the page again: tries now instead of waiting, and asks a connection that seems
   * open whether it still is; after a machine slept, nobody was told that it died.
   */
  hurry(): void {
    if (this.#stopped) return;
    if (this.#socket) {
      this.#probe();
      return;
    }
    this.#attempt = 0;
    this.#cancelTimers();
    void this.#connect();
  }

  async #connect(refused?: string): Promise<void> {
    const generation = ++this.#generation;
    this.#options.onConnection({ status: "connecting", since: this.#hasBeenLive ? "loss" : "start" });
    try {
      const token = await this.#options.token(refused);
      if (this.#stopped || generation !== this.#generation) return;
      this.#token = token;
    } catch (failure) {
      if (this.#stopped || generation !== this.#generation) return;
      if (failure instanceof LoggedOutError) this.#end();
      else this.#retryLater();
      return;
    }
    this.#open(generation);
  }

  #open(generation: number): void {
    let socket: Socket;
    try {
      const open = this.#options.connect ?? ((url: string) => new WebSocket(url));
      socket = open(`${this.#options.url}?v=10&encoding=json`);
    } catch {
      this.#retryLater();
      return;
    }
    this.#socket = socket;
    this.#session.opened();
    const cancelHello = this.#after(HELLO_MS_MAX, () => this.#lost(generation, CLOSE_ZOMBIE));
    socket.onmessage = (event) => {
      cancelHello();
      if (generation === this.#generation) this.#receive(String(event.data), generation);
    };
    socket.onclose = (event) => {
      if (generation === this.#generation) this.#closed(event.code);
    };
    socket.onerror = () => {};
  }

  #receive(text: string, generation: number): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      this.#lost(generation, CLOSE_ZOMBIE);
      return;
    }
    for (const command of this.#session.receive(frame, this.#token)) this.#perform(command, generation);
  }

  #perform(command: Command, generation: number): void {
    switch (command.kind) {
      case "send":
        this.#socket?.send(JSON.stringify(command.frame));
        return;
      case "beat_every":
        this.#beatAfter(command.intervalMs * this.#clock.random(), command.intervalMs, generation);
        return;
      case "dispatch":
        this.#options.onDispatch(command.name, command.body);
        this.#session.stored(command);
        if (command.name === "READY" || command.name === "RESUMED") this.#live();
        return;
      case "identify_later": {
        const [least, most] = IDENTIFY_AFTER_MS;
        this.#after(least + (most - least) * this.#clock.random(), () => {
          if (generation === this.#generation) this.#socket?.send(JSON.stringify(this.#session.identify(this.#token)));
        });
        return;
      }
      case "reconnect":
      case "zombie":
        this.#lost(generation, CLOSE_ZOMBIE);
        return;
    }
  }

  #probe(): void {
    if (!this.#isLive) return;
    const generation = this.#generation;
    this.#perform(this.#session.probe(), generation);
    this.#after(PROBE_MS_MAX, () => {
      if (this.#session.isAwaitingAck) this.#lost(generation, CLOSE_ZOMBIE);
    });
  }

  #live(): void {
    this.#isLive = true;
    this.#attempt = 0;
    this.#refusedOnce = false;
    this.#hasBeenLive = true;
    this.#options.onConnection({ status: "live" });
  }

  #beatAfter(delayMs: number, intervalMs: number, generation: number): void {
    this.#after(delayMs, () => {
      if (generation !== this.#generation) return;
      const command = this.#session.beat();
      this.#perform(command, generation);
      if (command.kind === "send") this.#beatAfter(intervalMs, intervalMs, generation);
    });
  }

  #closed(code: number): void {
    this.#drop(null);
    if (this.#stopped) return;
    if (code === Close.invalidSeq) this.#session.forget();
    if (code === Close.authenticationFailed) {
      if (this.#refusedOnce) this.#end();
      else void this.#connect(this.#token);
      this.#refusedOnce = true;
    } else this.#retryLater();
  }

  /** A connection that is open but of no use: leave it without waiting for the closing handshake. */
  #lost(generation: number, code: number): void {
    if (generation !== this.#generation) return;
    this.#drop(code);
    if (!this.#stopped) this.#retryLater();
  }

  #retryLater(): void {
    const delayMs = backoffMs(this.#attempt, RETRY_FIRST_MS, RETRY_CAP_MS, this.#clock.random());
    this.#attempt += 1;
    this.#options.onConnection({ status: "waiting", retryAtMs: this.#clock.nowMs() + delayMs });
    this.#after(delayMs, () => void this.#connect());
  }

  #end(): void {
    this.#stopped = true;
    this.#drop(1000);
    this.#session.forget();
    this.#options.onConnection({ status: "ended" });
  }

  #drop(code: number | null): void {
    this.#generation += 1;
    this.#isLive = false;
    this.#cancelTimers();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    if (code !== null) socket.close(code);
  }

  #after(delayMs: number, act: () => void): () => void {
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      act();
    });
    this.#timers.add(cancel);
    return () => {
      cancel();
      this.#timers.delete(cancel);
    };
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}

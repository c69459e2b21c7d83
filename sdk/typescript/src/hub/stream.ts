/** One connection of a subscription: frames wait here in order, within a bound; one that has died silently is noticed. */
import type { Clock } from "../clock.ts";

/** A connection that was not opened by then is given up. */
const OPEN_MS_MAX = 10_000;
/** After this much silence the hub is asked whether it is there, and this is how long it has to say so. */
const SILENCE_MS_MAX = 20_000;
const PONG_MS_MAX = 10_000;
/** Text that may wait for a callback. Beyond it we hang up, work it off, and come back for the rest. */
const WAITING_CHARS_MAX = 8 * 1024 * 1024;

/** Why a connection ended. A number is the other side's close code. */
export type Ending = number | "silent" | "full" | "unopened" | "left";

/** The part of a WebSocket that is used. */
export type HubSocket = Pick<WebSocket, "send" | "close"> & {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
};

export class Stream {
  readonly #socket: HubSocket;
  readonly #clock: Clock;
  readonly #waiting: string[] = [];
  #waitingChars = 0;
  #ending: Ending | undefined;
  #wake: (() => void) | undefined;
  #cancel: () => void;

  constructor(socket: HubSocket, clock: Clock, first: string) {
    this.#socket = socket;
    this.#clock = clock;
    this.#cancel = clock.after(OPEN_MS_MAX, () => this.#end("unopened"));
    socket.onopen = () => {
      socket.send(first);
      this.#listen();
    };
    socket.onmessage = ({ data }: { data: unknown }) => this.#take(data);
    socket.onclose = ({ code }: { code: number }) => this.#end(code);
    socket.onerror = () => {};
  }

  /** The next frame; undefined when the connection ended and everything it brought was taken. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const text = this.#waiting.shift();
      if (text !== undefined) {
        this.#waitingChars -= text.length;
        return text;
      }
      if (this.#ending !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Why it ended. */
  get ending(): Ending {
    return this.#ending ?? "left";
  }

  /** Hangs up. */
  leave(): void {
    this.#end("left");
  }

  #take(data: unknown): void {
    if (this.#ending !== undefined || typeof data !== "string") return;
    this.#waiting.push(data);
    this.#waitingChars += data.length;
    if (this.#waitingChars > WAITING_CHARS_MAX) this.#end("full");
    else this.#listen();
    this.#wake?.();
  }

  /** A WebSocket in a browser does not show the hub's own pings. */
  #listen(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(SILENCE_MS_MAX, () => {
      this.#socket.send('{"action":"ping"}');
      this.#cancel = this.#clock.after(PONG_MS_MAX, () => this.#end("silent"));
    });
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#cancel();
    this.#socket.onclose = null;
    this.#socket.onopen = null;
    this.#socket.close();
    this.#wake?.();
  }
}

/**
 * The gateway's protocol without clock or socket: what arrives goes in, what to do comes out.
 * Source: Discord's gateway page; what `s` means is written in ARCHITECTURE.md, "The event log".
 */

/** Operation codes. */
export const Op = {
  dispatch: 0,
  heartbeat: 1,
  identify: 2,
  resume: 6,
  reconnect: 7,
  invalidSession: 9,
  hello: 10,
  heartbeatAck: 11,
} as const;

/** Close codes of the instance that this client treats apart. */
export const Close = { authenticationFailed: 4004, invalidSeq: 4007 } as const;

/** One frame as it travels. */
export interface Frame {
  readonly op: number;
  readonly d?: unknown;
  readonly s?: number | null;
  readonly t?: string | null;
}

/** Where a session can be taken up again. `s` says: complete up to here. */
export interface ResumePoint {
  readonly sessionId: string;
  readonly seq: number;
}

/** What the socket must do next. */
export type Command =
  | { readonly kind: "send"; readonly frame: Frame }
  | { readonly kind: "beat_every"; readonly intervalMs: number }
  | { readonly kind: "dispatch"; readonly name: string; readonly body: unknown; readonly seq: number | null }
  /** Wait a random moment, then call `identify`. */
  | { readonly kind: "identify_later" }
  /** The instance asks to connect anew. */
  | { readonly kind: "reconnect" }
  /** Nothing answers any more. */
  | { readonly kind: "zombie" };

export class Session {
  #point: ResumePoint | null = null;
  #lastSeq: number | null = null;
  #awaitingAck = false;

  /** Where a new connection would resume. */
  get point(): ResumePoint | null {
    return this.#point;
  }

  /** A new connection begins. */
  opened(): void {
    this.#awaitingAck = false;
  }

  /** The session can't be resumed; the next connection identifies. */
  forget(): void {
    this.#point = null;
    this.#lastSeq = null;
  }

  receive(frame: Frame, token: string): Command[] {
    switch (frame.op) {
      case Op.hello:
        return this.#greet(frame, token);
      case Op.dispatch:
        return frame.t ? [{ kind: "dispatch", name: frame.t, body: frame.d, seq: frame.s ?? null }] : [];
      case Op.heartbeat:
        return [this.#beat()];
      case Op.heartbeatAck:
        this.#awaitingAck = false;
        return [];
      case Op.reconnect:
        return [{ kind: "reconnect" }];
      case Op.invalidSession:
        if (frame.d === true) return [{ kind: "reconnect" }];
        this.forget();
        return [{ kind: "identify_later" }];
      default:
        return [];
    }
  }

  /** Call after the dispatch was stored, never before: a crash in between must replay it. */
  stored(command: Command & { readonly kind: "dispatch" }): void {
    if (command.seq !== null) this.#lastSeq = command.seq;
    const sessionId = command.name === "READY" ? sessionIdOf(command.body) : (this.#point?.sessionId ?? null);
    this.#point = sessionId !== null && this.#lastSeq !== null ? { sessionId, seq: this.#lastSeq } : null;
  }

  /** The heartbeat timer fired. */
  beat(): Command {
    return this.#awaitingAck ? { kind: "zombie" } : this.#beat();
  }

  /** A heartbeat out of turn, to see whether anybody is there. */
  probe(): Command {
    return this.#beat();
  }

  /** Whether a heartbeat has not been answered yet. */
  get isAwaitingAck(): boolean {
    return this.#awaitingAck;
  }

  identify(token: string): Frame {
    return { op: Op.identify, d: { token, properties: { os: "web", browser: "nexus", device: "nexus" } } };
  }

  #greet(frame: Frame, token: string): Command[] {
    const hello = frame.d as { heartbeat_interval?: number } | undefined;
    const intervalMs = hello?.heartbeat_interval ?? 41_250;
    const answer = this.#point
      ? { op: Op.resume, d: { token, session_id: this.#point.sessionId, seq: this.#point.seq } }
      : this.identify(token);
    return [
      { kind: "beat_every", intervalMs },
      { kind: "send", frame: answer },
    ];
  }

  #beat(): Command {
    this.#awaitingAck = true;
    return { kind: "send", frame: { op: Op.heartbeat, d: this.#lastSeq } };
  }
}

function sessionIdOf(body: unknown): string | null {
  const id = (body as { session_id?: unknown } | null)?.session_id;
  return typeof id === "string" ? id : null;
}

/** One login with everything around it: REST, gateway, store, outbox, history, read marks, typing. */
import { type Access, type AccessOptions, openAccess } from "./access.ts";
import { Acks } from "./acks.ts";
import { systemClock } from "./clock.ts";
import { Gateway, type Socket } from "./gateway/gateway.ts";
import { History } from "./history.ts";
import { MEMBERS_MAX, Members } from "./members.ts";
import { Outbox } from "./outbox/outbox.ts";
import { LoggedOutError } from "./rest/errors.ts";
import type { Rest } from "./rest/rest.ts";
import type { Tokens } from "./rest/tokens.ts";
import { decode } from "./store/decode.ts";
import { Store } from "./store/store.ts";
import { Typing } from "./typing.ts";
import type { User } from "./wire.ts";

export interface ClientOptions extends AccessOptions {
  readonly connect?: (url: string) => Socket;
}

export class Client {
  readonly rest: Rest;
  readonly tokens: Tokens;
  readonly store = new Store();
  readonly gateway: Gateway;
  readonly outbox: Outbox;
  readonly history: History;
  readonly members: Members;
  readonly acks: Acks;
  readonly typing: Typing;
  #hasEnded = false;

  constructor(options: ClientOptions = {}, access: Access = openAccess(options)) {
    const clock = options.clock ?? systemClock;
    const { rest, tokens } = access;
    this.rest = rest;
    this.tokens = tokens;
    // What this login left undone is not done by the next one.
    const own = <T>(act: () => Promise<T>) => (this.#hasEnded ? Promise.reject(new LoggedOutError()) : act());
    this.outbox = new Outbox({ store: this.store, clock, send: (channelId, draft) => own(() => rest.send(channelId, draft)) });
    this.history = new History(this.store, (channelId, query) => own(() => rest.history(channelId, query)));
    this.members = new Members(this.store, (guildId) => own(() => rest.members(guildId, { limit: MEMBERS_MAX })), clock);
    this.acks = new Acks(this.store, (channelId, messageId) => own(() => rest.ack(channelId, messageId)), clock);
    this.typing = new Typing(this.store, (channelId) => own(() => rest.typing(channelId)), clock);
    this.gateway = new Gateway({
      url: gatewayUrl(options.origin),
      clock,
      token: (refused) => tokens.current(refused),
      onDispatch: (name, body) => this.#store(name, body),
      onConnection: (connection) => {
        this.store.dispatch({ type: "connection_changed", connection });
        if (connection.status === "live") this.outbox.wake();
        if (connection.status === "ended") tokens.end();
      },
      ...(options.connect ? { connect: options.connect } : {}),
    });
    tokens.onEnd = (successor) => this.#end(successor);
  }

  /** Connects the gateway; the store fills. */
  start(): void {
    this.#hasEnded = false;
    this.gateway.start();
  }

  /**
   * Ends the login at the instance and forgets everything held here; all stays as it is if the instance could not be asked.
   * @throws ApiError, NetworkError
   */
  logout(): Promise<void> {
    return this.rest.logout();
  }

  #store(name: string, body: unknown): void {
    const event = decode(name, body);
    if (!event) return;
    this.store.dispatch(event);
    if (event.type === "ready") this.acks.renew();
  }

  #end(successor: User | null): void {
    this.#hasEnded = true;
    this.gateway.stop();
    this.acks.forget();
    this.store.dispatch({ type: "logged_out", successor });
  }
}

function gatewayUrl(origin: string | undefined): string {
  const base = origin ?? (typeof location === "undefined" ? "http://localhost:8080" : location.origin);
  return `${base.replace(/^http/, "ws")}/gateway`;
}

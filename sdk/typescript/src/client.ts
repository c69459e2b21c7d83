/** One login with everything around it: REST, gateway, store, outbox, history, read marks, typing. */
import { type Access, type AccessOptions, openAccess } from "./access.ts";
import { Acks } from "./acks.ts";
import { systemClock } from "./clock.ts";
import { Gateway, type Socket } from "./gateway/gateway.ts";
import { History } from "./history.ts";
import { Outbox } from "./outbox/outbox.ts";
import type { Rest } from "./rest/rest.ts";
import type { Tokens } from "./rest/tokens.ts";
import { decode } from "./store/decode.ts";
import { Store } from "./store/store.ts";
import { Typing } from "./typing.ts";

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
  readonly acks: Acks;
  readonly typing: Typing;

  constructor(options: ClientOptions = {}, access: Access = openAccess(options)) {
    const clock = options.clock ?? systemClock;
    const { rest, tokens } = access;
    this.rest = rest;
    this.tokens = tokens;
    this.outbox = new Outbox({ store: this.store, clock, send: (channelId, draft) => rest.send(channelId, draft) });
    this.history = new History(this.store, (channelId, query) => rest.history(channelId, query));
    this.acks = new Acks(this.store, (channelId, messageId) => rest.ack(channelId, messageId), clock);
    this.typing = new Typing(this.store, (channelId) => rest.typing(channelId), clock);
    this.gateway = new Gateway({
      url: gatewayUrl(options.origin),
      clock,
      token: (refused) => tokens.current(refused),
      onDispatch: (name, body) => this.#store(name, body),
      onConnection: (connection) => {
        this.store.dispatch({ type: "connection_changed", connection });
        if (connection.status === "live") this.outbox.wake();
      },
      ...(options.connect ? { connect: options.connect } : {}),
    });
    tokens.onEnd = () => this.#end();
  }

  /** Connects the gateway; the store fills. */
  start(): void {
    this.gateway.start();
  }

  /** Ends the login at the instance and forgets everything held here. */
  async logout(): Promise<void> {
    try {
      await this.rest.logout();
    } finally {
      this.#end();
    }
  }

  #store(name: string, body: unknown): void {
    const event = decode(name, body);
    if (!event) return;
    this.store.dispatch(event);
    if (event.type === "ready") this.acks.renew();
  }

  #end(): void {
    this.gateway.stop();
    this.acks.forget();
    this.store.dispatch({ type: "logged_out" });
  }
}

function gatewayUrl(origin: string | undefined): string {
  const base = origin ?? (typeof location === "undefined" ? "http://localhost:8080" : location.origin);
  return `${base.replace(/^http/, "ws")}/gateway`;
}

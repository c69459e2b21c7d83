/** REST and tokens of one login, without gateway and store. */
import type { Clock } from "./clock.ts";
import { Rest } from "./rest/rest.ts";
import { Tokens } from "./rest/tokens.ts";
import { Transport } from "./rest/transport.ts";

export interface AccessOptions {
  /** Scheme, host and port. In a browser the page's own origin if left out. */
  readonly origin?: string;
  /** Runs in a page served by the instance itself. */
  readonly web?: boolean;
  /** Of an earlier login, for clients that are not a page. */
  readonly refreshToken?: string;
  readonly clock?: Clock;
  readonly fetch?: typeof fetch;
}

/** The parts that also work before anybody is logged in; small, so that a login page can do with them alone. */
export interface Access {
  readonly rest: Rest;
  readonly tokens: Tokens;
}

/** REST without gateway and store. */
export function openAccess(options: AccessOptions = {}): Access {
  const transport = new Transport(options);
  const tokens = new Tokens(transport, { ...options, shareTabs: options.web ?? false });
  return { rest: new Rest(transport, tokens), tokens };
}

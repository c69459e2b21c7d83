/** From messages and echoes to the rows of the list: pure, so that grouping and dividers are tested without a screen. */
import { idTimeMs, isNewer } from "@nexus/sdk/ids";
import type { Echo } from "@nexus/sdk/store/state";
import type { Id, Message } from "@nexus/sdk/wire";

/** Messages of one person closer together than this form a group. */
const GROUP_MS_MAX = 7 * 60_000;

export interface Row {
  readonly key: string;
  /** The message's id; an echo that is not sent yet has none. */
  readonly id: Id | null;
  readonly authorId: Id;
  readonly content: string;
  readonly atMs: number;
  readonly status: "shown" | "waiting" | "failed";
  /** Set for echoes. */
  readonly echo: Echo | null;
  /** Begins a group: has picture and name. */
  readonly first: boolean;
  /** Begins a day, named by its start. */
  readonly day: number | null;
  /** The first message since this was last read. */
  readonly isNew: boolean;
  /** Nothing comes before it in the whole channel. */
  readonly isStart: boolean;
}

export interface RowsInput {
  readonly messages: readonly Message[];
  readonly echoes: readonly Echo[];
  readonly myId: Id;
  readonly hasMoreBefore: boolean;
  /** Messages after this one are new; `null` for none. */
  readonly newAfter: Id | null;
}

/** One row for each message, then one for each echo, oldest first. */
export function rowsOf(input: RowsInput): Row[] {
  const rows: Row[] = [];
  let marked = false;
  const held = new Set(input.messages.map((message) => message.id));
  const posts = [
    ...input.messages.map((message) => postOf(message, input.myId)),
    ...input.echoes.filter((echo) => !echo.message || !held.has(echo.message.id)).map((echo) => echoPost(echo, input.myId)),
  ];
  for (const [index, post] of posts.entries()) {
    const before = posts[index - 1];
    const isNew: boolean = !marked && input.newAfter !== null && post.authorId !== input.myId && isNewer(post.id, input.newAfter);
    marked ||= isNew;
    // What came before the oldest message held is unknown, so it claims no day of its own.
    const newDay = before ? dayOf(before.atMs) !== dayOf(post.atMs) : !input.hasMoreBefore;
    const joins = before && !isNew && !newDay && before.authorId === post.authorId && post.atMs - before.atMs < GROUP_MS_MAX;
    rows.push({ ...post, first: !joins, day: newDay ? dayOf(post.atMs) : null, isNew, isStart: index === 0 && !input.hasMoreBefore });
  }
  return rows;
}

type Post = Omit<Row, "first" | "day" | "isNew" | "isStart">;

function postOf(message: Message, myId: Id): Post {
  const mine = message.author.id === myId;
  // An own message keeps the key of its echo, so that its row stays the same element.
  const key = mine && message.nonce ? `own:${message.nonce}` : message.id;
  return {
    key,
    id: message.id,
    authorId: message.author.id,
    content: message.content,
    atMs: idTimeMs(message.id),
    status: "shown",
    echo: null,
  };
}

function echoPost(echo: Echo, myId: Id): Post {
  return {
    key: `own:${echo.nonce}`,
    id: echo.message?.id ?? null,
    authorId: myId,
    content: echo.content,
    atMs: echo.message ? idTimeMs(echo.message.id) : echo.createdAtMs,
    status: echo.status === "sent" ? "shown" : echo.status,
    echo,
  };
}

/** The start of a time's day, here. */
function dayOf(atMs: number): number {
  const date = new Date(atMs);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

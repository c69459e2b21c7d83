/** The lies that only a server can tell: about proofs, about its latest head, about its keys. And answers that are none. */
import { cosigner, headAt, leafAt, START_S, succeed } from "./fakeLog.ts";
import { Answer, document, honestly, route } from "./fakeServer.ts";
import { INNER, type Lie, SHOWN } from "./lies.ts";

/** A proof of the honest server with a part of it replaced. */
function bent(path: string, part: object) {
  return route(path, (url) => ({ ...(honestly(SHOWN, url).body as object), ...part }));
}

const INCLUSION = "/sth/proof/inclusion";
const CONSISTENCY = "/sth/proof/consistency";

const LIES_OF_PROOFS: readonly Lie[] = [
  {
    name: "an inner node shown as a leaf by a shortened inclusion proof",
    code: "bad_inclusion",
    leaf: 0,
    head: 12,
    instead: bent(INCLUSION, { leaf_hash: INNER, path: [] }),
  },
  { name: "an inclusion proof for another size", code: "bad_inclusion", leaf: 0, head: 12, instead: bent(INCLUSION, { tree_size: 11 }) },
  { name: "an inclusion proof for another index", code: "bad_inclusion", leaf: 0, head: 12, instead: bent(INCLUSION, { leaf_index: 1 }) },
  { name: "an inclusion proof of another length", code: "bad_inclusion", leaf: 0, head: 12, instead: bent(INCLUSION, { path: [INNER] }) },
  { name: "an inclusion proof of no leaf", code: "bad_inclusion", leaf: 0, head: 12, instead: bent(INCLUSION, { leaf_hash: null }) },
  { name: "an inclusion proof without a path", code: "bad_inclusion", leaf: 0, head: 12, instead: bent(INCLUSION, { path: null }) },
  { name: "an inclusion proof with a torn path", code: "bad_inclusion", leaf: 0, head: 12, instead: bent(INCLUSION, { path: ["AA=="] }) },
  { name: "a consistency proof for another size", code: "split_view", head: 12, instead: bent(CONSISTENCY, { first: 2 }) },
  { name: "a consistency proof that leads elsewhere", code: "split_view", head: 12, instead: bent(CONSISTENCY, { path: [INNER] }) },
];

const LIES_OF_THE_LATEST: readonly Lie[] = [
  { name: "a stale head beside a newer chain", code: "stale_head", head: 12, instead: route("/sth/latest", () => headAt(SHOWN, 7)) },
  {
    name: "a stale head beside newer leaves",
    code: "stale_head",
    leaf: 7,
    edit: (view) => {
      view.heads.splice(7);
    },
  },
  {
    name: "a latest head with another root than the chain's",
    code: "two_roots",
    head: 12,
    instead: route("/sth/latest", () => ({ ...headAt(SHOWN, 12), root: INNER })),
  },
  {
    name: "a chain that does not lead to the latest head",
    code: "stale_head",
    head: 12,
    instead: route("/sth/chain", (url) => (url.searchParams.has("before") ? SHOWN.heads.slice(0, 11).reverse() : SHOWN.heads.slice(-1))),
  },
  {
    name: "a leaf beyond the latest head",
    code: "stale_head",
    leaf: 12,
    instead: route("/did/leaves", (url) => (url.searchParams.get("from") === "12" ? [{ ...leafAt(SHOWN, 0), leaf_index: 12 }] : undefined)),
  },
];

const LIES_OF_KEYS: readonly Lie[] = [
  {
    name: "two cosigners with one key",
    code: "same_cosigner",
    edit: (view) => {
      view.cosigners[2] = { ...cosigner(2), public_key: cosigner(1).public_key };
    },
  },
  {
    name: "a cosigner less",
    code: "bad_policy",
    edit: (view) => {
      view.cosigners.pop();
    },
  },
  {
    name: "a cosigner's new key that another endorsed",
    code: "key_changed",
    edit: (view) => {
      succeed(view, 2, START_S + 50, true);
      succeed(view, 1, START_S + 50, true);
      const [two, one] = view.cosigners.slice(-2);
      if (one && two) one.endorsement = two.endorsement;
    },
  },
  {
    name: "a key document of another policy",
    code: "bad_policy",
    instead: route("/.well-known/key-transparency", () => ({ ...document(SHOWN), policy: { t: 1, n: 3 } })),
  },
  {
    name: "a cosigner's key of small order",
    code: "unreadable",
    edit: (view) => {
      view.cosigners[0] = { ...cosigner(0), public_key: Buffer.alloc(32).toString("base64") };
    },
  },
  {
    name: "two keys of one cosigner that count at once",
    code: "key_changed",
    edit: (view) => {
      succeed(view, 2, START_S + 50, true);
      view.cosigners = view.cosigners.map((one) => (one.until === START_S + 50 ? { ...one, until: START_S + 60 } : one));
    },
  },
];

const NO_ANSWERS: readonly Lie[] = [
  {
    name: "a latest head that was moved",
    code: "unreadable",
    instead: route("/sth/latest", () => new Answer(404, { detail: "Not Found" })),
  },
  { name: "a chain that is no list", code: "unreadable", instead: route("/sth/chain", () => ({})) },
  { name: "leaves that are no list", code: "unreadable", instead: route("/did/leaves", () => ({})) },
  {
    name: "a key document that is not there",
    code: "unreadable",
    instead: route("/.well-known/key-transparency", () => new Answer(404, {})),
  },
  { name: "a server that fails", code: "unreachable", instead: route("/sth/chain", () => new Answer(500, {})) },
];

export const LIES_OF_SERVERS: readonly Lie[] = [...LIES_OF_PROOFS, ...LIES_OF_THE_LATEST, ...LIES_OF_KEYS, ...NO_ANSWERS];

/** The lies that a log may tell, in its files as well: how the honest log is edited, and what the lie must be called. */
import { nodeHash } from "../transparency/trees.ts";
import { headAt, headHash, honest, leafAt, leafOf, refit, resign, rotated, START_S, signedBy, type View } from "./fakeLog.ts";
import type { Behaviour } from "./fakeServer.ts";

export interface Lie {
  readonly name: string;
  readonly code: string;
  readonly leaf?: number;
  readonly head?: number;
  readonly edit?: (view: View) => void;
  readonly instead?: Behaviour["instead"];
}

/** The honest log: 12 leaves and heads, the key of `user-0` changed at leaves 3 and 6. */
export const SHOWN: View = honest(12);

/** The node over the first two leaves: a hash that stands for nothing else. */
export const INNER = nodeHash(leafOf(leafAt(SHOWN, 0)), leafOf(leafAt(SHOWN, 1))).toString("base64");
const FOREIGN_SIGNATURE = signedBy("somebody", Buffer.from("something"));

const LIES_OF_LEAVES: readonly Lie[] = [
  {
    name: "an id of 24 bytes that no id may be",
    code: "bad_registration",
    leaf: 4,
    edit: (view) => {
      leafAt(view, 4).id = "ä".repeat(12);
    },
  },
  {
    name: "a dropped leaf",
    code: "missing_leaf",
    leaf: 5,
    edit: (view) => {
      view.leaves = view.leaves.map((leaf, leaf_index) => ({ leaf_index, ...leaf })).filter((leaf) => leaf.leaf_index !== 5);
    },
  },
  {
    name: "a dropped leaf, the others renumbered",
    code: "root_mismatch",
    head: 2,
    edit: (view) => {
      view.leaves.splice(1, 1);
    },
  },
  {
    name: "leaves that end too early",
    code: "missing_leaf",
    leaf: 11,
    head: 12,
    edit: (view) => {
      view.leaves.pop();
    },
  },
  {
    name: "a changed leaf",
    code: "root_mismatch",
    head: 5,
    edit: (view) => {
      leafAt(view, 4).timestamp += 1;
    },
  },
  {
    name: "a leaf that says nothing new",
    code: "duplicate_leaf",
    leaf: 9,
    edit: (view) => {
      view.leaves[9] = { ...leafAt(view, 8), timestamp: START_S + 9 };
      refit(view);
    },
  },
];

const LIES_OF_ROTATIONS: readonly Lie[] = [
  {
    name: "a change of key without anybody's word",
    code: "rotation_missing",
    leaf: 3,
    edit: (view) => {
      delete leafAt(view, 3).rotation;
    },
  },
  {
    name: "a change of key signed the wrong way round",
    code: "rotation_invalid",
    leaf: 3,
    edit: (view) => {
      const { old, new: next } = leafAt(view, 3).rotation ?? { old: "", new: "" };
      leafAt(view, 3).rotation = { old: next, new: old };
    },
  },
  {
    name: "a replayed change of key, of the same keys in another log",
    code: "rotation_invalid",
    leaf: 3,
    edit: (view) => {
      view.leaves[3] = rotated(Buffer.alloc(32, 9), leafAt(view, 0), leafAt(view, 3), ["a log 0", "a log 3"]);
    },
  },
  {
    name: "a replayed change of key, of the same id from an earlier leaf",
    code: "rotation_invalid",
    leaf: 6,
    edit: (view) => {
      const after = leafAt(view, 6);
      view.leaves[6] = rotated(Buffer.from(view.logId, "base64"), leafAt(view, 0), after, ["a log 3", "a log 6"]);
    },
  },
  {
    name: "a replayed change of key, back to a key that was left",
    code: "key_returned",
    leaf: 8,
    edit: (view) => {
      view.leaves[8] = { ...leafAt(view, 3), timestamp: START_S + 8 };
      refit(view);
    },
  },
  {
    name: "a change of key at the time of the leaf before",
    code: "rotation_not_later",
    leaf: 3,
    edit: (view) => {
      const early = { ...leafAt(view, 3), timestamp: START_S };
      view.leaves[3] = rotated(Buffer.from(view.logId, "base64"), leafAt(view, 0), early, ["a log 0", "a log 3"]);
      refit(view);
    },
  },
];

const LIES_OF_SIGNERS: readonly Lie[] = [
  {
    name: "one signature",
    code: "too_few_signatures",
    head: 8,
    edit: (view) => {
      headAt(view, 8).signatures.pop();
    },
  },
  {
    name: "the same cosigner twice",
    code: "same_cosigner",
    head: 8,
    edit: (view) => {
      const [one] = headAt(view, 8).signatures;
      headAt(view, 8).signatures = one ? [one, one] : [];
    },
  },
  {
    name: "a cosigner that nobody knows",
    code: "unknown_cosigner",
    head: 8,
    edit: (view) => {
      headAt(view, 8).signatures.push({ cosigner: "cosigner_7", sig: signedBy("somebody", headHash(headAt(view, 8))) });
    },
  },
  {
    name: "a bad signature",
    code: "bad_signature",
    head: 3,
    edit: (view) => {
      headAt(view, 3).signatures = headAt(view, 3).signatures.map((one) => ({ ...one, sig: FOREIGN_SIGNATURE }));
    },
  },
  {
    name: "one bad signature among three",
    code: "bad_signature",
    head: 3,
    edit: (view) => {
      resign(view, 3);
      const [one, two, three] = headAt(view, 3).signatures;
      if (one && two && three) headAt(view, 3).signatures = [one, two, { ...three, sig: one.sig }];
    },
  },
  {
    name: "a signature of the wrong length",
    code: "unreadable",
    head: 3,
    edit: (view) => {
      headAt(view, 3).signatures = [{ cosigner: "cosigner_0", sig: "AA==" }];
    },
  },
];

const LIES_OF_HEADS: readonly Lie[] = [
  {
    name: "policy one of three, signed",
    code: "bad_policy",
    head: 6,
    edit: (view) => {
      headAt(view, 6).policy.t = 1;
      resign(view);
    },
  },
  {
    name: "a head over nothing, signed and linked",
    code: "empty_head",
    head: 0,
    edit: (view) => {
      view.heads.unshift({ ...structuredClone(headAt(view, 1)), tree_size: 0, root: Buffer.alloc(32).toString("base64") });
      resign(view);
    },
  },
  {
    name: "a log that shrank, signed and linked",
    code: "shrunk",
    head: 3,
    edit: (view) => {
      view.heads.splice(7, 0, structuredClone(headAt(view, 3)));
      resign(view);
    },
  },
  {
    name: "a size used again with another root, signed and linked",
    code: "two_roots",
    head: 7,
    edit: (view) => {
      view.heads.splice(7, 0, { ...structuredClone(headAt(view, 7)), root: INNER });
      resign(view);
    },
  },
  {
    name: "an edited prev_hash",
    code: "broken_link",
    head: 9,
    edit: (view) => {
      headAt(view, 9).prev_hash = INNER;
    },
  },
  {
    name: "a first head that links to something",
    code: "broken_link",
    head: 1,
    edit: (view) => {
      headAt(view, 1).prev_hash = INNER;
    },
  },
  {
    name: "a head left out of the chain",
    code: "broken_link",
    head: 4,
    edit: (view) => {
      view.heads.splice(2, 1);
    },
  },
  {
    name: "a head older than the one before it, signed and linked",
    code: "time_went_back",
    head: 7,
    edit: (view) => {
      headAt(view, 7).timestamp = START_S + 1;
      resign(view);
    },
  },
  {
    name: "a root that is not that of the leaves, signed and linked",
    code: "root_mismatch",
    head: 10,
    edit: (view) => {
      headAt(view, 10).root = INNER;
      resign(view);
    },
  },
  {
    name: "a root edited after it was signed",
    code: "root_mismatch",
    head: 10,
    edit: (view) => {
      headAt(view, 10).root = INNER;
    },
  },
];

export const LIES: readonly Lie[] = [...LIES_OF_LEAVES, ...LIES_OF_ROTATIONS, ...LIES_OF_SIGNERS, ...LIES_OF_HEADS];

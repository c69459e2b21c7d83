/** The vectors of the transparency contract, which every implementation replays. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Audit, checkSignatures } from "../transparency/audits.ts";
import { fromBase64 } from "../transparency/bytes.ts";
import { KeyHistory } from "../transparency/cosigners.ts";
import { verifiesConsistency, verifiesInclusion } from "../transparency/trees.ts";
import { readHead, readKeyDocument, readRegistration } from "../transparency/wire.ts";

interface Vectors {
  key_document: unknown;
  registrations: unknown[];
  leaves: string[];
  heads: unknown[];
  head_hashes: string[];
  inclusion: { leaf_index: number; tree_size: number; path: string[] }[];
  consistency: { first: number; second: number; path: string[] }[];
}

const vectors = JSON.parse(readFileSync(new URL("../../fixtures/transparency/vectors.json", import.meta.url), "utf8")) as Vectors;
const hash = (text: string | undefined): Buffer => fromBase64(text, 32) ?? assert.fail(`${text} is no hash`);
const heads = vectors.heads.map((head) => readHead(head, "vectors"));

test("the recorded leaves, roots, links, rotations and signatures are what they should be", () => {
  const document = readKeyDocument(vectors.key_document);
  const keys = new KeyHistory(document);
  const audit = new Audit(document.logId, keys);
  assert.ok(vectors.registrations.length > 0 && vectors.registrations.length === heads.length);
  for (const [leaf, value] of vectors.registrations.entries()) {
    const registration = readRegistration(value, { leaf });
    assert.equal(registration.leaf.toString("base64"), vectors.leaves[leaf]);
    audit.leaf(registration);
    const head = heads[leaf] ?? assert.fail("a head for each leaf");
    assert.equal(head.hash.toString("base64"), vectors.head_hashes[leaf]);
    audit.next(head);
    checkSignatures(head, keys);
  }
  audit.finish();
});

test("the recorded proofs hold, and none of them for another leaf, index, size or root", () => {
  const root = (size: number) => heads[size - 1]?.root ?? assert.fail(`no head over ${size}`);
  for (const proof of vectors.inclusion) {
    const [index, size, path] = [proof.leaf_index, proof.tree_size, proof.path.map(hash)];
    const claim = { leaf: hash(vectors.leaves[index]), index, size, root: root(size), path };
    assert.ok(verifiesInclusion(claim), `leaf ${index}`);
    assert.ok(!verifiesInclusion({ ...claim, leaf: hash(vectors.leaves[(index + 1) % size]) }));
    assert.ok(!verifiesInclusion({ ...claim, path: path.slice(1) }));
    assert.ok(!verifiesInclusion({ ...claim, path: [...path, root(1)] }));
    for (let other = 0; other <= size; other += 1) assert.ok(other === index || !verifiesInclusion({ ...claim, index: other }));
  }
  for (const proof of vectors.consistency) {
    const { first, second } = proof;
    const claim = { first, second, firstRoot: root(first), secondRoot: root(second), path: proof.path.map(hash) };
    assert.ok(verifiesConsistency(claim), `${first} in ${second}`);
    for (let other = 0; other <= second + 1; other += 1) {
      assert.ok(other === first || !verifiesConsistency({ ...claim, first: other }), `${first} passes as ${other}`);
    }
    assert.ok(!verifiesConsistency({ ...claim, secondRoot: Buffer.alloc(32) }));
  }
});

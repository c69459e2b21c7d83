/** The parts of the verifier, each against its definition or against a known bad input. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalJson, fromBase64, sha256 } from "../transparency/bytes.ts";
import { VerifyingKey } from "../transparency/keys.ts";
import { GrowingTree, leafHash, nodeHash, verifiesConsistency, verifiesInclusion } from "../transparency/trees.ts";
import { readCosignerKey, readHead, readKeyDocument, readRegistration } from "../transparency/wire.ts";
import { consistencyPath, cosigner, headAt, honest, inclusionPath, publicOf, START_S, signedBy, treeHash } from "./fakeLog.ts";
import { document } from "./fakeServer.ts";

const leaves = Array.from({ length: 40 }, (_, number) => sha256(Buffer.from([number])));

test("base64 is read only in its one canonical spelling", () => {
  const text = Buffer.alloc(32, 0xfb).toString("base64");
  assert.deepEqual(fromBase64(text, 32), Buffer.alloc(32, 0xfb));
  const strange = [
    text.slice(0, -1),
    `${text}=`,
    text.replaceAll("+", "-"),
    ` ${text}`,
    `${text}\n`,
    text.replace(/.=$/, "/="),
    "",
    null,
    7,
  ];
  for (const other of strange) assert.equal(fromBase64(other, 32), null, JSON.stringify(other));
});

test("canonical JSON is that of RFC 8785, nested objects included", () => {
  // Source: RFC 8785 sections 3.2.2 and 3.2.3; their examples.
  const example = {
    numbers: [JSON.parse("333333333.33333329"), 1e30, 4.5, 2e-3, 1e-27],
    string: '€$\u000f\nA\'B"\\\\"/',
    literals: [null, true, false],
  };
  const expected =
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}';
  assert.equal(canonicalJson(example), expected);
  const order = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": { b: 1, a: 2 } };
  assert.equal(canonicalJson(order), '{"\\r":2,"1":4,"\u0080":6,"ö":{"a":2,"b":1},"€":1,"😀":5,"\ufb33":3}');
  assert.throws(() => canonicalJson("\ud800"));
  assert.throws(() => canonicalJson(Number.NaN));
});

test("the growing tree has the roots of the definition, and every proof of every size holds", () => {
  const tree = new GrowingTree();
  assert.deepEqual(tree.root(), Buffer.alloc(32));
  for (const [index, leaf] of leaves.entries()) {
    tree.append(leaf);
    const [size, root, all] = [index + 1, tree.root(), leaves.slice(0, index + 1)];
    assert.deepEqual(root, treeHash(all));
    for (const [at, one] of all.entries()) assert.ok(verifiesInclusion({ leaf: one, index: at, size, root, path: inclusionPath(at, all) }));
    for (let first = 1; first <= size; first += 1) {
      const claim = {
        first,
        second: size,
        firstRoot: treeHash(leaves.slice(0, first)),
        secondRoot: root,
        path: consistencyPath(first, all),
      };
      assert.ok(verifiesConsistency(claim), `${first} in ${size}`);
      assert.ok(first === size || !verifiesConsistency({ ...claim, firstRoot: treeHash(leaves.slice(1, first + 1)) }));
    }
  }
});

test("no inner node passes as a leaf when the size is bound", () => {
  for (let size = 2; size <= leaves.length; size += 1) {
    const all = leaves.slice(0, size);
    for (let index = 0; index + 1 < size; index += 2) {
      const [left, right] = [all[index], all[index + 1]];
      assert.ok(left && right);
      const claim = { leaf: nodeHash(left, right), size, root: treeHash(all), path: inclusionPath(index, all).slice(1) };
      for (let other = 0; other < size; other += 1) assert.ok(!verifiesInclusion({ ...claim, index: other }), `${other} of ${size}`);
    }
  }
});

test("the 24-byte id whose leaf is an inner node is refused twice: by its grammar, and by the bound size", () => {
  // Found by search: the left leaf's first 24 bytes are UTF-8, the right one's last 8 are a time below 2^53.
  const key = sha256(Buffer.from("a key that nobody has to own"));
  const left = leafHash("did:nexo:left-866893", key, START_S);
  const right = leafHash("did:nexo:right-1858", key, START_S + 1);
  const id = new TextDecoder("utf-8", { fatal: true }).decode(left.subarray(0, 24));
  const [phantomKey, timestamp] = [Buffer.concat([left.subarray(24), right.subarray(0, 24)]), Number(right.readBigUInt64BE(24))];
  const phantom = leafHash(id, phantomKey, timestamp);
  assert.deepEqual(phantom, nodeHash(left, right), "the attack is real: the phantom's leaf is the inner node");
  assert.deepEqual(phantom, treeHash([left, right]), "and a bare root of two leaves looks like one leaf");

  const body = { id, public_key: phantomKey.toString("base64"), timestamp };
  assert.throws(() => readRegistration(body, { leaf: 0 }), { code: "bad_registration" });
  for (const index of [0, 1]) assert.ok(!verifiesInclusion({ leaf: phantom, index, size: 2, root: phantom, path: [] }));
});

test("keys of small order, beyond the field or off the curve verify nothing", () => {
  // Source: the encodings of "Taming the many EdDSAs", table 1, and y = p, p + 1 of small order.
  const weak = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];
  for (const hex of weak) assert.throws(() => new VerifyingKey(Buffer.from(hex, "hex")), TypeError, hex);
  const offCurve = new VerifyingKey(Buffer.from(`02${"00".repeat(31)}`, "hex"));
  assert.equal(offCurve.verifies(Buffer.from("x"), Buffer.from(signedBy("a", Buffer.from("x")), "base64")), false);
});

test("a signature counts in one spelling only", () => {
  const [key, message] = [new VerifyingKey(publicOf("a")), Buffer.from("message")];
  const good = Buffer.from(signedBy("a", message), "base64");
  assert.ok(key.verifies(message, good));
  assert.ok(!key.verifies(Buffer.from("another"), good));
  assert.ok(!key.verifies(message, good.subarray(1)));
  // S + L is the same number for a lenient verifier.
  const scalar =
    BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString("hex")}`) + 2n ** 252n + 27742317777372353535851937790883648493n;
  const stretched = Buffer.from(scalar.toString(16).padStart(64, "0"), "hex").reverse();
  assert.ok(!key.verifies(message, Buffer.concat([good.subarray(0, 32), stretched])));
});

test("a registration is read only with its grammar", () => {
  const good = { id: "did:nexo:alice", public_key: publicOf("a").toString("base64"), timestamp: START_S };
  assert.equal(readRegistration(good, {}).id, good.id);
  const bad: object[] = [
    { id: "" },
    { id: "x".repeat(256) },
    { id: "did:nexo:ä" },
    { id: "two words" },
    { id: "line\n" },
    { id: 7 },
    { timestamp: -1 },
    { timestamp: 1.5 },
    { timestamp: 2 ** 53 },
    { timestamp: "1" },
    { public_key: good.public_key.slice(0, -4) },
    { public_key: `${good.public_key}\n` },
    { rotation: {} },
    { rotation: "x" },
  ];
  for (const part of bad)
    assert.throws(() => readRegistration({ ...good, ...part }, {}), { code: "bad_registration" }, JSON.stringify(part));
  for (const value of [null, [], "x"]) assert.throws(() => readRegistration(value, {}), { code: "bad_registration" });
});

/** One part of a good value replaced: none of these may be read. */
const SHAPES: readonly { what: string; good: object; read: (value: unknown) => unknown; bad: readonly object[] }[] = [
  {
    what: "head",
    good: headAt(honest(1), 1),
    read: (value) => readHead(value, "here"),
    bad: [
      { tree_size: -1 },
      { tree_size: "1" },
      { root: "AA==" },
      { prev_hash: null },
      { prev_hash: "AA==" },
      { timestamp: 1.5 },
      { signatures: null },
      { signatures: [7] },
      { signatures: [{ cosigner: 1, sig: signedBy("a", Buffer.alloc(0)) }] },
    ],
  },
  {
    what: "cosigner's key",
    good: cosigner(0),
    read: readCosignerKey,
    bad: [
      { cosigner: "" },
      { cosigner: 7 },
      { public_key: "AA==" },
      { from: -1 },
      { from: "1" },
      { until: -1 },
      { until: "1" },
      { endorsement: "AA==" },
      { ended_at: 7 },
      { ended_at: {} },
      { ended_at: { tree_size: 7, head: "AA==" } },
      { ended_at: { tree_size: -1, head: Buffer.alloc(32).toString("base64") } },
    ],
  },
  {
    what: "key document",
    good: document(honest(1)),
    read: readKeyDocument,
    bad: [{ version: 2 }, { log_id: "AA==" }, { log_key: null }, { cosigners: {} }],
  },
];

for (const { what, good, read, bad } of SHAPES) {
  test(`a ${what} of the wrong shape is unreadable`, () => {
    read(good);
    for (const value of [...bad.map((part) => ({ ...good, ...part })), null, [], "x"]) {
      assert.throws(() => read(value), { code: "unreadable" }, JSON.stringify(value));
    }
  });
}

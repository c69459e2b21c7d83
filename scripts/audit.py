#!/usr/bin/env python3
"""An auditor of the key log, written from the text of the contract alone.

It shares no line with the server, the browser client or the TypeScript scripts: Python's standard library, and `cryptography` for
Ed25519. It recomputes every leaf, root, hash, link, signature and rotation, verifies inclusion and consistency proofs, and names the
first fault with the words that all verifiers of this project use.

Exit code: 0 the log is honest, 1 it is not (the line says what and where), 2 wrong call, 8 no answer in time.
"""

import argparse
import base64
import binascii
import functools
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXIT_HONEST, EXIT_FAULT, EXIT_USAGE, EXIT_UNREACHABLE = 0, 1, 2, 8

PAGE = 1000
BODY_BYTES_MAX = 8 * 1024 * 1024
REQUEST_SECONDS_MAX = 15.0
THRESHOLD, NAMES = 2, ("cosigner_0", "cosigner_1", "cosigner_2")
WHOLE_END = 2**53
ID = re.compile(r"[A-Za-z0-9:._@%-]{1,255}")

# The field and the order of the base point: RFC 8032 section 5.1.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


class Fault(Exception):
    """The first thing that is wrong with a log, and where."""

    def __init__(self, code, detail, leaf=None, head=None):
        super().__init__(detail)
        self.code, self.leaf, self.head = code, leaf, head

    def __str__(self):
        places = [f"{name} {at}" for name, at in (("leaf", self.leaf), ("head", self.head)) if at is not None]
        return f"{self.code}{' at ' + ', '.join(places) if places else ''}: {self.args[0]}"


# Bytes: strict base64, SHA-256, canonical JSON.


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data):
    return base64.b64encode(data).decode("ascii")


def unbase64(text, length):
    """Padded standard base64 of exactly so many bytes; None for every other spelling (RFC 4648 section 3.5)."""
    if not isinstance(text, str):
        return None
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return data if len(data) == length and b64(data) == text else None


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < WHOLE_END


def read_json(text, what):
    """JSON in which no name stands twice and every number is one: two readers must not see two things."""

    def once(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as why:
        raise Fault("unreadable", f"{what}: {why}") from None


def canonical_json(value):
    """RFC 8785 for everything that a head can hold; names are sorted by their UTF-16 units. A head has no fractions."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical_json(name)}:{canonical_json(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical_json(one) for one in value) + "]"
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) >= WHOLE_END):
        raise ValueError(f"the number {value} has no place in a head")
    text = json.dumps(value, ensure_ascii=False)
    text.encode("utf-8")  # Fails for half a surrogate pair, which has no canonical form.
    return text


# Ed25519, strictly: canonical points, none of small order, S below the order of the base point.


def root_of_ratio(u, v):
    """A square root of u/v in the field, or None. Source: RFC 8032 section 5.1.3."""
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    for candidate in (x, x * pow(2, (P - 1) // 4, P) % P):
        if v * candidate * candidate % P == u % P:
            return candidate
    return None


def small_order_ys():
    """The y of every point whose eightfold is neutral.

    Orders 1, 2 and 4 have y = 1, -1 and 0. A point of order 8 doubles to one with y = 0, so x^2 = -y^2, and the curve's equation
    -x^2 + y^2 = 1 + d x^2 y^2 becomes d y^4 + 2 y^2 - 1 = 0.
    """
    ys = {0, 1, P - 1}
    half = root_of_ratio(1 + D, 1)
    for square in (half - 1, -half - 1):
        y = root_of_ratio(square, D)
        if y is not None:
            ys |= {y, P - y}
    return ys


SMALL_ORDER_YS = small_order_ys()


def is_weak(encoded):
    """Whether 32 bytes are not canonical, or a point of small order."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return len(encoded) != 32 or y >= P or y in SMALL_ORDER_YS


@functools.lru_cache(maxsize=4096)
def is_good_key(encoded):
    """Whether 32 bytes are a point of the curve that may verify."""
    if is_weak(encoded):
        return False
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return root_of_ratio(y * y - 1, D * y * y + 1) is not None


def is_signed(key, message, signature):
    """Whether the holder of a key signed a message. The library itself compares the commitment byte by byte."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        return False
    if not is_good_key(key) or is_weak(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# The tree: an odd last node is carried up unchanged, which is the shape of RFC 6962.


def leaf_hash(identity, public_key, timestamp):
    return sha256(identity.encode("utf-8"), public_key, timestamp.to_bytes(8, "big"))


class Tree:
    """The roots of the complete subtrees, as many as the size has one bits."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def append(self, leaf):
        self.peaks.append((1, leaf))
        self.size += 1
        while len(self.peaks) > 1 and self.peaks[-1][0] == self.peaks[-2][0]:
            (width, right), (_, left) = self.peaks.pop(), self.peaks.pop()
            self.peaks.append((2 * width, sha256(left, right)))

    def root(self):
        if not self.peaks:
            return bytes(32)
        root = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            root = sha256(left, root)
        return root


def verifies_inclusion(leaf, index, size, path, root):
    """RFC 9162 section 2.1.3.2. Index and signed size fix the length of the path, so that no inner node passes as a leaf."""
    if index >= size:
        return False
    fn, sn, result = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            result = sha256(step, result)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = sha256(result, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and result == root


def verifies_consistency(first, second, path, first_root, second_root):
    """RFC 9162 section 2.1.4.2; equal sizes need equal roots and no path."""
    if not 1 <= first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    if not path:
        return False
    steps = ([first_root] if first & (first - 1) == 0 else []) + list(path)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            before, after = sha256(step, before), sha256(step, after)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            after = sha256(after, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and before == first_root and after == second_root


# What is read, parsed once.


class Registration:
    """`{id, public_key, timestamp, rotation?: {old, new}}`; checked for its grammar, not against a clock."""

    def __init__(self, value, leaf):
        def need(holds, what):
            if not holds:
                raise Fault("bad_registration", what, leaf=leaf)

        need(isinstance(value, dict), "it is no JSON object")
        self.id, self.timestamp = value.get("id"), value.get("timestamp")
        need(isinstance(self.id, str) and ID.fullmatch(self.id), f"the id {self.id!r:.80} is against the grammar")
        self.public_key = unbase64(value.get("public_key"), 32)
        need(self.public_key, "the key is not canonical base64 of 32 bytes")
        need(is_whole(self.timestamp), f"the time {self.timestamp!r:.80} is not a whole number from 0 up to 2^53")
        rotation, self.rotation = value.get("rotation"), None
        if rotation is not None:
            need(isinstance(rotation, dict), "its rotation is not two signatures")
            self.rotation = unbase64(rotation.get("old"), 64), unbase64(rotation.get("new"), 64)
            need(all(self.rotation), "its rotation is not two signatures")
        self.leaf = leaf_hash(self.id, self.public_key, self.timestamp)


class Head:
    """A signed tree head; its hash is over all that it says but its signatures."""

    def __init__(self, value, where):
        size = value.get("tree_size") if isinstance(value, dict) else None

        def need(holds, what):
            if not holds:
                raise Fault("unreadable", f"{where}: {what}", head=size if is_whole(size) else None)

        need(isinstance(value, dict), "a tree head is a JSON object")
        self.raw, self.size, self.timestamp = value, size, value.get("timestamp")
        need(is_whole(self.size), "tree_size is no whole number")
        self.root = unbase64(value.get("root"), 32)
        need(self.root, "the root is not canonical base64 of 32 bytes")
        self.prev = b"" if value.get("prev_hash") == "" else unbase64(value.get("prev_hash"), 32)
        need(self.prev is not None, 'prev_hash is neither "" nor canonical base64 of 32 bytes')
        need(is_whole(self.timestamp), "the time is no whole number")
        self.two_of_three = is_two_of_three(value.get("policy"))
        need(isinstance(value.get("signatures"), list), "it has no list of signatures")
        self.signatures = []
        for one in value["signatures"]:
            need(isinstance(one, dict) and isinstance(one.get("cosigner"), str), "a signature names its cosigner")
            signature = unbase64(one.get("sig"), 64)
            need(signature, "a signature is canonical base64 of 64 bytes")
            self.signatures.append((one["cosigner"], signature))
        try:
            unsigned = {name: part for name, part in value.items() if name != "signatures"}
            self.hash = sha256(canonical_json(unsigned).encode("utf-8"))
        except ValueError as why:
            need(False, str(why))


def is_two_of_three(policy):
    return isinstance(policy, dict) and set(policy) == {"t", "n"} and all(map(is_whole, policy.values())) and policy == {"t": 2, "n": 3}


class Key:
    """A cosigner's key, and when it counts."""

    def __init__(self, value):
        def need(holds, what):
            if not holds:
                raise Fault("unreadable", f"a cosigner's key: {what}")

        need(isinstance(value, dict), "it is no JSON object")
        self.name, self.begin, self.end = value.get("cosigner"), value.get("from"), value.get("until")
        need(isinstance(self.name, str) and self.name, "it has no name")
        self.public_key = unbase64(value.get("public_key"), 32)
        need(self.public_key and is_good_key(self.public_key), "it is not canonical base64 of a point that may sign")
        need(is_whole(self.begin), "its first second is no whole number")
        need(self.end is None or is_whole(self.end), "its end is no whole number")
        word = value.get("endorsement")
        self.endorsement = None if word is None else unbase64(word, 64)
        need(word is None or self.endorsement, "its endorsement is no signature")
        self.operator = value.get("operator") if isinstance(value.get("operator"), str) else "unknown"
        # Size and hash of the last head before the key ended.
        last, self.last = value.get("ended_at"), None
        if last is not None:
            need(isinstance(last, dict) and is_whole(last.get("tree_size")), "its last head has no size")
            self.last = last["tree_size"], unbase64(last.get("head"), 32)
            need(self.last[1], "its last head has no hash")

    def __str__(self):
        return f"the key of {self.name} from {self.begin} on"

    def counts_for(self, head):
        is_then = self.begin <= head.timestamp and (self.end is None or head.timestamp < self.end)
        return is_then and (self.last is None or head.size <= self.last[0])

    def identity(self):
        return self.name, self.public_key, self.begin, self.endorsement


class KeyDocument:
    """Whose signatures count: the keys of the three cosigners, each name's one after the other."""

    def __init__(self, value):
        if not isinstance(value, dict) or value.get("version") != 1:
            raise Fault("unreadable", "the key document has no version that is known here")
        self.log_id = unbase64(value.get("log_id"), 32)
        if not self.log_id or not unbase64(value.get("log_key"), 32) or not isinstance(value.get("cosigners"), list):
            raise Fault("unreadable", "the key document lacks log_id, log_key or cosigners")
        if not is_two_of_three(value.get("policy")):
            raise Fault("bad_policy", "the key document's policy is not two of three")
        self.raw_keys = value["cosigners"]
        self.keys = [Key(one) for one in self.raw_keys]
        names = {key.name for key in self.keys}
        if names != set(NAMES):
            raise Fault("bad_policy", f"the key document names {str(sorted(names)):.80}, not {', '.join(NAMES)}")
        # Every key that took another's place, and whether that one spoke for it.
        self.successors = {}
        if len({key.public_key for key in self.keys}) != len(self.keys):
            raise Fault("same_cosigner", "two entries of the key document have one key")
        for name in NAMES:
            self._check_line(sorted((key for key in self.keys if key.name == name), key=lambda key: key.begin))

    def _check_line(self, line):
        """The keys of one name, oldest first: each ends where the next begins, the last one does not."""
        for before, key, after in zip([None, *line], line, [*line[1:], None]):
            if key.end is not None and key.end <= key.begin:
                raise Fault("key_changed", f"{key} ends before it counts")
            if key.end != (after.begin if after else None):
                raise Fault("key_changed", f"{key} ends at {key.end}, the next one begins at {after.begin if after else None}")
            if after is None and key.last:
                raise Fault("key_changed", f"{key} has a last head and no end")
            parts = (self.log_id, key.name.encode("utf-8"), key.public_key, key.begin.to_bytes(8, "big"))
            message = b"nexus/cosigner-rotate/1" + b"".join(parts)
            if key.endorsement and not (before and is_signed(before.public_key, message, key.endorsement)):
                raise Fault("key_changed", f"{key} has a word that is not that of the key before it")
            if before:
                self.successors[key] = key.endorsement is not None

    def key_for(self, name, head):
        return next((key for key in self.keys if key.name == name and key.counts_for(head)), None)

    def last_heads(self):
        """Size and hash of the last head of every key that ended, smallest first, as far as the document names them."""
        return sorted(key.last for key in self.keys if key.last)

    def warnings(self):
        """A sentence for each key that only the log itself put in its predecessor's place: no fault for who never saw that one."""
        lost = [key for key, is_endorsed in self.successors.items() if not is_endorsed]
        return [f"{key} has no word of the key before it; whoever saw the old one is right to be alarmed" for key in lost]

    def statement(self):
        operators = [key.operator for key in self.keys if key.end is None]
        if any(operators.count(one) >= THRESHOLD for one in operators):
            return "single-operator log"
        # Any two quorums of three share a cosigner.
        return "one cosigner is the log's own" if "this server" in operators else "cosigned by independent operators"


# The judgement.


class Audit:
    """One reading of one log, first leaf to last head."""

    def __init__(self, document):
        self.document, self.tree, self.head = document, Tree(), None
        self.current, self.left = {}, {}
        self.leaves, self.roots, self.heads = [], {}, 0
        # The last heads of ended keys that the chain has not shown yet.
        self.awaited = document.last_heads()

    def leaf(self, new):
        old = self.current.get(new.id)
        if old is not None:
            self._check_rotation(old, new)
            self.left.setdefault(new.id, set()).add(old.public_key)
        self.current[new.id] = new
        self.leaves.append(new.leaf)
        self.tree.append(new.leaf)

    def _check_rotation(self, old, new):
        at = self.tree.size
        if new.public_key == old.public_key:
            raise Fault("duplicate_leaf", f"{new.id} has that key already", leaf=at)
        if new.public_key in self.left.get(new.id, ()):
            raise Fault("key_returned", f"{new.id} had that key and left it", leaf=at)
        if new.rotation is None:
            raise Fault("rotation_missing", f"{new.id} has another key, to which nobody agreed", leaf=at)
        if new.timestamp <= old.timestamp:
            raise Fault("rotation_not_later", f"{new.timestamp} is not after {old.timestamp}", leaf=at)
        message = b"nexus/did-rotate/2" + self.document.log_id + old.leaf + new.leaf
        for whose, key, signature in zip(("old", "new"), (old.public_key, new.public_key), new.rotation):
            if not is_signed(key, message, signature):
                raise Fault("rotation_invalid", f"{new.id}: its {whose} key did not sign this change", leaf=at)

    def next_head(self, head):
        """Policy, empty, shrunk, two roots, link, time, last heads of keys, cosigners, missing leaf, root, signatures: in this order."""
        last, at = self.head, head.size
        if not head.two_of_three:
            raise Fault("bad_policy", "its policy is not two of three", head=at)
        if head.size == 0:
            raise Fault("empty_head", "the empty tree is never published", head=at)
        if last and head.size < last.size:
            raise Fault("shrunk", f"the head before it is over {last.size}", head=at)
        if last and head.size == last.size and head.root != last.root:
            raise Fault("two_roots", f"{b64(head.root)} and {b64(last.root)}", head=at)
        if head.prev != (last.hash if last else b""):
            raise Fault("broken_link", f"it links to {b64(head.prev) or 'no head'}, not to the head before it", head=at)
        if last and head.timestamp < last.timestamp:
            raise Fault("time_went_back", f"{head.timestamp} is before {last.timestamp}", head=at)
        self._check_passed(at)
        self._check_cosigners(head)
        if self.tree.size < head.size:
            raise Fault("missing_leaf", f"it is over {head.size} leaves, there are {self.tree.size}", leaf=self.tree.size, head=at)
        if self.tree.root() != head.root:
            raise Fault("root_mismatch", f"its root is {b64(head.root)}, the leaves give {b64(self.tree.root())}", head=at)
        for name, signature in head.signatures:
            if not is_signed(self.document.key_for(name, head).public_key, head.hash, signature):
                raise Fault("bad_signature", f"{name} did not sign it", head=at)
        self.head, self.heads = head, self.heads + 1
        self.roots[head.size] = head.root
        if self.awaited and self.awaited[0][0] == head.size:
            self.awaited = [last for last in self.awaited if last != (head.size, head.hash)]

    def _check_passed(self, size):
        if self.awaited and self.awaited[0][0] < size:
            last, wanted = self.awaited[0]
            raise Fault("split_view", f"the last head of a key that ended is {b64(wanted)}, the log shows none such", head=last)

    def finish(self):
        """When there is no further head: has the chain shown the last head of every key that ended?"""
        size = self.head.size if self.head else 0
        self._check_passed(size + 1)
        if self.awaited:
            raise Fault("rollback", f"a cosigner's key ended after the head over {self.awaited[0][0]} leaves", head=size)

    def _check_cosigners(self, head):
        names = [name for name, _ in head.signatures]
        if len(set(names)) != len(names):
            raise Fault("same_cosigner", "a cosigner signed twice", head=head.size)
        for name in names:
            if self.document.key_for(name, head) is None:
                what = f"{name} had no key that counts at {head.timestamp} over {head.size} leaves"
                raise Fault("unknown_cosigner", what, head=head.size)
        if len(names) < THRESHOLD:
            raise Fault("too_few_signatures", f"{len(names)} of the {THRESHOLD} that it needs", head=head.size)

    def read(self, leaves, heads):
        """Everything; what is left over at the end has no head."""
        for head in heads:
            while self.tree.size < head.size:
                registration = next(leaves, None)
                if registration is None:
                    break
                self.leaf(registration)
            self.next_head(head)
        self.finish()
        if next(leaves, None) is not None:
            raise Fault("stale_head", "the log holds a leaf that no head is over", leaf=self.tree.size)

    def verdict(self):
        who = "; ".join([self.document.statement(), *self.document.warnings()])
        root = b64(self.head.root) if self.head else "none"
        return f"honest: {self.tree.size} leaves of {len(self.current)} ids under {self.heads} heads, root {root}; {who}"


# Where a log is read from.


class Server:
    """A log behind an address. It waits where it is asked to (429), and for nothing longer than its deadline."""

    def __init__(self, address, timeout):
        self.address = urllib.parse.urlsplit(address)
        self.timeout = timeout
        self.connection = None

    def request(self, path):
        """Status and body of a GET."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                status, after, body = self._once(path, end)
            except (OSError, http.client.HTTPException) as why:
                self.close()
                raise Fault("unreachable", f"GET {path}: {why or type(why).__name__}") from None
            if status == 429 and time.monotonic() + after < end:
                time.sleep(after)
                continue
            if status == 429 or status >= 500:
                raise Fault("unreachable", f"GET {path} answered {status} {body[:200]!r}")
            return status, read_json(body, f"GET {path}")

    def _once(self, path, end):
        body = b""
        # Reading piece by piece notices a server that drips; only a response that is closed frees the connection for the next one.
        with self._ask(path) as response:
            while chunk := response.read1(65536):
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise Fault("unreadable", f"GET {path} answered more than {BODY_BYTES_MAX} bytes")
                if time.monotonic() > end:
                    raise TimeoutError("the answer did not end in time")
        after = response.getheader("Retry-After") or "1"
        return response.status, max(1, int(after)) if after.isdigit() else 1, body

    def _ask(self, path):
        path = self.address.path.rstrip("/") + path
        if self.connection is not None:
            try:
                self.connection.request("GET", path)
                return self.connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A server may end a connection that lay idle; a new one tells whether it is still there.
                self.close()
        kind = http.client.HTTPSConnection if self.address.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(self.address.netloc, timeout=min(self.timeout, REQUEST_SECONDS_MAX))
        self.connection.request("GET", path)
        return self.connection.getresponse()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def get(self, path):
        status, body = self.request(path)
        if status != 200:
            raise Fault("unreadable", f"GET {path} answered {status} {str(body)[:200]}")
        return body

    def list(self, path):
        body = self.get(path)
        if not isinstance(body, list):
            raise Fault("unreadable", f"GET {path} answered no list")
        return body

    def document(self):
        return KeyDocument(self.get("/.well-known/key-transparency"))

    def latest(self):
        """The newest head, None for an empty log. The chain is read first: a log that grows in between has a newer latest head."""
        chain = [Head(one, "/sth/chain") for one in self.list("/sth/chain?limit=1")]
        latest = self._latest()
        newest = chain[0] if chain else None
        if newest and (latest is None or latest.size < newest.size):
            raise Fault("stale_head", "/sth/chain shows this head, /sth/latest an older one", head=newest.size)
        if newest and latest.size == newest.size and latest.hash != newest.hash:
            raise Fault("two_roots", "/sth/latest and /sth/chain show two heads of one size", head=latest.size)
        size = latest.size if latest else 0
        if self.list(f"/did/leaves?from={size}&limit=1"):
            newer = self._latest()
            if newer is None or newer.size <= size:
                raise Fault("stale_head", "the log shows a leaf that no head is over", leaf=size)
        return latest

    def _latest(self):
        status, body = self.request("/sth/latest")
        if status == 200:
            return Head(body, "/sth/latest")
        if status == 404 and isinstance(body, dict) and body.get("detail") == "No STH found":
            return None
        raise Fault("unreadable", f"GET /sth/latest answered {status} {str(body)[:200]}")

    def leaves(self, size):
        at = 0
        while at < size:
            page = self.list(f"/did/leaves?from={at}&limit={min(PAGE, size - at)}")
            if not page:
                return
            for value in page[: size - at]:
                if isinstance(value, dict) and value.get("leaf_index") != at:
                    raise Fault("missing_leaf", f"the log shows leaf {value.get('leaf_index')} in its place", leaf=at)
                yield Registration(value, at)
                at += 1

    def heads(self, latest):
        """Oldest first. A window of as many sizes as a page has entries fits one page, however many heads there are."""
        size, last = latest.size if latest else 0, None
        for start in range(0, size, PAGE):
            page = [Head(one, "/sth/chain") for one in self.list(f"/sth/chain?limit={PAGE}&before={min(start + PAGE, size) + 1}")]
            while start and page and page[-1].size <= start:
                page.pop()
            last = page[0] if page else last
            yield from reversed(page)
        if latest and (last is None or last.hash != latest.hash):
            raise Fault("stale_head", "/sth/chain does not lead to this head, which /sth/latest shows", head=latest.size)

    def _path(self, body, bad):
        path = [unbase64(one, 32) for one in body["path"]] if isinstance(body.get("path"), list) else [None]
        if None in path:
            raise bad("the proof has no path of hashes")
        return path

    def check_inclusion(self, index, leaf, head):
        def bad(what):
            return Fault("bad_inclusion", what, leaf=index, head=head.size)

        body = self.get(f"/sth/proof/inclusion?leaf_index={index}&tree_size={head.size}")
        if not isinstance(body, dict) or (body.get("leaf_index"), body.get("tree_size")) != (index, head.size):
            raise bad("the proof is about another leaf or size")
        if unbase64(body.get("leaf_hash"), 32) != leaf:
            raise bad("the proof is about another leaf")
        if not verifies_inclusion(leaf, index, head.size, self._path(body, bad), head.root):
            raise bad("the proof does not lead to the signed root")

    def check_consistency(self, size, root, head):
        def bad(what):
            return Fault("split_view", what, head=head.size)

        body = self.get(f"/sth/proof/consistency?first={size}&second={head.size}")
        if not isinstance(body, dict) or (body.get("first"), body.get("second")) != (size, head.size):
            raise bad("the proof is about other sizes")
        if not verifies_consistency(size, head.size, self._path(body, bad), root, head.root):
            raise bad(f"the proof does not lead from the root over {size} leaves to this one")


class Folder:
    """Exported files: users.jsonl, sth.jsonl, key-transparency.json."""

    def __init__(self, path, pinned=None):
        self.path, self.pinned = path, pinned

    def document(self):
        own = os.path.join(self.path, "key-transparency.json")
        return self.pinned if self.pinned and not os.path.exists(own) else document_in(own)

    def _lines(self, name):
        path = os.path.join(self.path, name)
        try:
            with open(path, "rb") as file:
                for number, line in enumerate(file):
                    yield number, read_json(line, f"{name}, line {number + 1}")
        except OSError as why:
            raise Fault("unreadable", str(why)) from None

    def leaves(self):
        return (Registration(value, number) for number, value in self._lines("users.jsonl"))

    def heads(self):
        return (Head(value, f"sth.jsonl, line {number + 1}") for number, value in self._lines("sth.jsonl"))


def read_file(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as why:
        raise Fault("unreadable", str(why)) from None


def document_in(path):
    return KeyDocument(read_json(read_file(path), path))


# What an earlier run saw.


class Seen:
    """What a run left in its state file, or a key document that is trusted already."""

    def __init__(self, log_id, keys, head=None):
        self.log_id, self.keys, self.head = log_id, keys, head

    @classmethod
    def read(cls, path):
        value = read_json(read_file(path), path)
        log_id = unbase64(value.get("log_id"), 32) if isinstance(value, dict) else None
        if log_id is None or not isinstance(value.get("cosigners"), list):
            raise Fault("unreadable", f"{path} is not what a run of this program leaves behind")
        keys = [Key(one) for one in value["cosigners"]]
        return cls(log_id, keys, None if value.get("head") is None else Head(value["head"], path))

    def check_keys(self, document):
        """A key that counted may have ended since, one that had ended is as it was; a new one needs its predecessor's word."""
        if self.log_id != document.log_id:
            raise Fault("wrong_log", "another log than the one that was seen before")
        now = {key.identity(): key for key in document.keys}
        for key in self.keys:
            same = now.get(key.identity())
            if same is None or (key.end is not None and (key.end, key.last) != (same.end, same.last)):
                raise Fault("key_changed", f"{key} is not the one that was seen before")
        known = {(key.name, key.begin) for key in self.keys}
        for key in document.keys:
            if (key.name, key.begin) not in known and not document.successors.get(key):
                raise Fault("key_changed", f"{key} is new and lacks its predecessor's word")

    def check_continues(self, document, latest):
        self.check_keys(document)
        if self.head is None:
            return
        if latest is None or latest.size < self.head.size:
            size = latest.size if latest else 0
            raise Fault("rollback", f"a head over {self.head.size} leaves was seen before", head=size)
        if latest.size == self.head.size and latest.hash != self.head.hash:
            raise Fault("split_view", "another head of that size was seen before", head=latest.size)

    def check_holds(self, audit):
        if self.head and audit.roots.get(self.head.size) != self.head.root:
            raise Fault("split_view", "a head of this size with another root was seen before", head=self.head.size)


def remember(path, document, head):
    """A crash leaves the old file or the new one."""
    state = {"log_id": b64(document.log_id), "cosigners": document.raw_keys, "head": head.raw if head else None}
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(f"{path}.new", path)


# The program.


def spread(end, count):
    """Up to `count` numbers below `end`, the first and the last among them."""
    if count >= end:
        return list(range(end))
    return [end - 1] if count == 1 else [step * (end - 1) // (count - 1) for step in range(count)]


def audit_server(server, pinned, seen, proofs, say):
    latest = server.latest()
    document = server.document()
    check_pinned(pinned, document)
    if seen:
        seen.check_continues(document, latest)
        if seen.head:
            server.check_consistency(seen.head.size, seen.head.root, latest)
    audit = Audit(document)
    audit.read(server.leaves(latest.size if latest else 0), server.heads(latest))
    if seen:
        seen.check_holds(audit)
    say("log: every leaf, root, link, signature and rotation was recomputed")
    indexes = spread(audit.tree.size, proofs)
    for index in indexes:
        server.check_inclusion(index, audit.leaves[index], latest)
        if index + 1 in audit.roots:
            server.check_consistency(index + 1, audit.roots[index + 1], latest)
    say(f"proofs: {len(indexes)} of each kind lead to the signed root")
    return audit


def audit_folder(folder, seen, say):
    document = folder.document()
    check_pinned(folder.pinned, document)
    audit = Audit(document)
    audit.read(folder.leaves(), folder.heads())
    if seen:
        seen.check_continues(document, audit.head)
        seen.check_holds(audit)
    say("log: every leaf, root, link, signature and rotation was recomputed")
    return audit


def check_pinned(pinned, document):
    if pinned:
        Seen(pinned.log_id, pinned.keys).check_keys(document)


def replay_vectors(vectors, say):
    """The recorded log with its hashes and proofs; a difference is a `Fault` with a place."""
    audit = Audit(KeyDocument(vectors["key_document"]))
    for index, value in enumerate(vectors["registrations"]):
        registration, head = Registration(value, index), Head(vectors["heads"][index], "the vectors")
        if b64(registration.leaf) != vectors["leaves"][index]:
            raise Fault("root_mismatch", "the recorded leaf is another", leaf=index)
        if b64(head.hash) != vectors["head_hashes"][index]:
            raise Fault("broken_link", "the recorded hash of the head is another", head=head.size)
        audit.leaf(registration)
        audit.next_head(head)
    for proof in vectors["inclusion"]:
        index, size, path = proof["leaf_index"], proof["tree_size"], [unbase64(one, 32) for one in proof["path"]]
        if not verifies_inclusion(audit.leaves[index], index, size, path, audit.roots[size]):
            raise Fault("bad_inclusion", "the recorded proof does not hold", leaf=index, head=size)
    for proof in vectors["consistency"]:
        first, second, path = proof["first"], proof["second"], [unbase64(one, 32) for one in proof["path"]]
        if not verifies_consistency(first, second, path, audit.roots[first], audit.roots[second]):
            raise Fault("split_view", f"the recorded proof from {first} does not hold", head=second)
    say(f"vectors: {len(vectors['inclusion'])} inclusion and {len(vectors['consistency'])} consistency proofs hold")
    return audit


def read_arguments(given):
    def count(text):
        if text == "all":
            return WHOLE_END
        return int(text)

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", nargs="?", metavar="URL|DIRECTORY", help="a server, or a directory with exported files")
    parser.add_argument("--keys", metavar="FILE", help="a key document that is trusted already; the log's own must go on from it")
    parser.add_argument("--state", metavar="FILE", help="what was seen; the next run notices a rollback or a split view")
    parser.add_argument("--proofs", type=count, default=16, metavar="NUMBER|all", help="how many proofs of each kind to ask for (16)")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="the longest wait for one answer (30)")
    parser.add_argument("--vectors", metavar="FILE", help="replay the vectors of the contract instead")
    arguments = parser.parse_args(given)
    if (arguments.log is None) == (arguments.vectors is None):
        parser.error("one log, or --vectors, is needed")
    if arguments.log and not os.path.isdir(arguments.log) and not re.match(r"https?://[^/]", arguments.log):
        parser.error(f"{arguments.log} is neither a directory nor an http or https address")
    return arguments


def run(arguments, say):
    if arguments.vectors:
        return replay_vectors(read_json(read_file(arguments.vectors), arguments.vectors), say)
    pinned = document_in(arguments.keys) if arguments.keys else None
    seen = Seen.read(arguments.state) if arguments.state and os.path.exists(arguments.state) else None
    if os.path.isdir(arguments.log):
        audit = audit_folder(Folder(arguments.log, pinned), seen, say)
    else:
        server = Server(arguments.log, arguments.timeout)
        try:
            audit = audit_server(server, pinned, seen, arguments.proofs, say)
        finally:
            server.close()
    if arguments.state:
        remember(arguments.state, audit.document, audit.head)
    return audit


def main(given=None):
    arguments = read_arguments(given)
    try:
        audit = run(arguments, lambda line: print(f"ok   {line}"))
    except Fault as fault:
        print(f"FAIL {fault}")
        return EXIT_UNREACHABLE if fault.code == "unreachable" else EXIT_FAULT
    print(audit.verdict())
    return EXIT_HONEST


if __name__ == "__main__":
    sys.exit(main())

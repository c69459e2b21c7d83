"""The Python auditor against an honest log made here, and against every fault, planted one by one."""

import base64
import contextlib
import copy
import functools
import hashlib
import http.server
import io
import json
import os
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import audit  # noqa: E402

START = 1_795_000_000
VECTORS = os.path.join(HERE, "..", "..", "fixtures", "transparency", "vectors.json")
LOG_ID = hashlib.sha256(b"a log").digest()
FOREIGN = base64.b64encode(Ed25519PrivateKey.generate().sign(b"something")).decode()


def secret(name):
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public(name):
    return base64.b64encode(secret(name).public_key().public_bytes_raw()).decode()


def sign(name, message):
    return base64.b64encode(secret(name).sign(message)).decode()


def leaf_of(leaf):
    parts = leaf["id"].encode() + base64.b64decode(leaf["public_key"]) + leaf["timestamp"].to_bytes(8, "big")
    return hashlib.sha256(parts).digest()


def hash_of(head):
    unsigned = {name: value for name, value in head.items() if name != "signatures"}
    return hashlib.sha256(json.dumps(unsigned, sort_keys=True, separators=(",", ":")).encode()).digest()


def split_of(size):
    split = 1
    while split * 2 < size:
        split *= 2
    return split


def root_of(leaves):
    """By the definition: RFC 9162 section 2.1.1, without prefixes."""
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return hashlib.sha256(root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def inclusion(index, leaves):
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*inclusion(index, leaves[:split]), root_of(leaves[split:])]
    return [*inclusion(index - split, leaves[split:]), root_of(leaves[:split])]


def consistency(first, leaves, whole=True):
    if first == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = split_of(len(leaves))
    if first <= split:
        return [*consistency(first, leaves[:split], whole), root_of(leaves[split:])]
    return [*consistency(first - split, leaves[split:], False), root_of(leaves[:split])]


def cosigner(number, name=None):
    key = public(name or f"cosigner_{number}")
    return {"cosigner": f"cosigner_{number}", "public_key": key, "from": START, "until": None, "endorsement": None, "operator": "this server", "url": None}


def rotated(before, after, names, log_id=LOG_ID):
    message = b"nexus/did-rotate/2" + log_id + leaf_of(before) + leaf_of(after)
    old, new = names
    return {**after, "rotation": {"old": sign(old, message), "new": sign(new, message)}}


class Log:
    """What a server shows: honest, unless a test edits it."""

    def __init__(self, count=12):
        self.leaves = []
        for index in range(count):
            rotates = index in (3, 6)
            leaf = {"id": f"did:nexo:user-{0 if rotates else index}", "public_key": public(f"user {index}"), "timestamp": START + index}
            before = 3 if index == 6 else 0
            self.leaves.append(rotated(self.leaves[before], leaf, (f"user {before}", f"user {index}")) if rotates else leaf)
        policy = {"t": 2, "n": 3}
        self.heads = [{"tree_size": index + 1, "policy": dict(policy), "timestamp": START + index} for index in range(count)]
        self.document = {"version": 1, "log_id": base64.b64encode(LOG_ID).decode(), "log_key": public("log"), "policy": policy}
        self.document["cosigners"] = [cosigner(number) for number in range(3)]
        self.instead = {}
        self.refit()

    def refit(self):
        """Makes heads fit edited leaves, as cosigners would that check nothing."""
        hashes = [leaf_of(leaf) for leaf in self.leaves]
        for head in self.heads:
            head["root"] = base64.b64encode(root_of(hashes[: head["tree_size"]])).decode()
        self.resign()

    def proof(self, query):
        """The honest inclusion proof that was asked for."""
        index, size = int(query["leaf_index"][0]), int(query["tree_size"][0])
        hashes = [leaf_of(leaf) for leaf in self.leaves[:size]]
        path = [base64.b64encode(one).decode() for one in inclusion(index, hashes)]
        return {"leaf_index": index, "tree_size": size, "leaf_hash": base64.b64encode(hashes[index]).decode(), "path": path}

    def resign(self):
        before = None
        for index, head in enumerate(self.heads):
            head["prev_hash"] = base64.b64encode(hash_of(before)).decode() if before else ""
            names = [f"cosigner_{(index + turn) % 3}" for turn in range(2)]
            head["signatures"] = [{"cosigner": name, "sig": sign(name, hash_of(head))} for name in names]
            before = head

    def answer(self, path, query):
        """Status and body of a route."""

        def number(name, otherwise):
            return int(query.get(name, [otherwise])[0])

        hashes = [leaf_of(leaf) for leaf in self.leaves]
        if path in self.instead:
            return 200, self.instead[path](query)
        if path == "/.well-known/key-transparency":
            return 200, self.document
        if path == "/sth/latest":
            return (200, self.heads[-1]) if self.heads else (404, {"detail": "No STH found"})
        if path == "/sth/chain":
            older = [head for head in self.heads if head["tree_size"] < number("before", 2**52)]
            return 200, older[::-1][: number("limit", 10)]
        if path == "/did/leaves":
            start = number("from", 0)
            return 200, [{"leaf_index": index, **leaf} for index, leaf in enumerate(self.leaves)][start : start + number("limit", 100)]
        if path == "/sth/proof/inclusion":
            return 200, self.proof(query)
        if path == "/sth/proof/consistency":
            first, second = number("first", 0), number("second", 0)
            path = [base64.b64encode(one).decode() for one in consistency(first, hashes[:second])]
            return 200, {"first": first, "second": second, "path": path}
        return 404, {"detail": "not found"}


@contextlib.contextmanager
def served(log):
    """The address of a server that shows a log; what stands in `log.instead` as "hang" is never answered."""
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            status, body = log.answer(url.path, urllib.parse.parse_qs(url.query))
            if body == "hang":
                release.wait(10)
                self.close_connection = True
                return
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            # An auditor that has seen enough hangs up in the middle of an answer.
            if not isinstance(sys.exc_info()[1], OSError):
                super().handle_error(*_)

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def exported(log, folder):
    for name, values in (("users.jsonl", log.leaves), ("sth.jsonl", log.heads)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(value) + "\n" for value in values)
    with open(os.path.join(folder, "key-transparency.json"), "w", encoding="utf-8") as file:
        json.dump(log.document, file)
    return folder


def program(*given):
    """Exit code and output of the program."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = audit.main([str(one) for one in given])
    return code, out.getvalue()


def set_head(size, **parts):
    return lambda log: log.heads[size - 1].update(parts)


def and_resign(edit):
    return lambda log: (edit(log), log.resign())


def and_refit(edit):
    return lambda log: (edit(log), log.refit())


def replace_leaf(index, make):
    def edit(log):
        log.leaves[index] = make(log)

    return edit


INNER = base64.b64encode(root_of([leaf_of(leaf) for leaf in Log(2).leaves])).decode()

# Each fault: its name, where it must be found, and how the honest log is edited.
FAULTS = [
    ("bad_registration at leaf 4", lambda log: log.leaves[4].update(id="ä" * 12)),
    ("bad_registration at leaf 4", lambda log: log.leaves[4].update(timestamp=1.0)),
    ("bad_registration at leaf 4", lambda log: log.leaves[4].update(public_key=log.leaves[4]["public_key"][:-1])),
    ("rotation_missing at leaf 3", lambda log: log.leaves[3].pop("rotation")),
    ("rotation_invalid at leaf 3", lambda log: log.leaves[3]["rotation"].update(old=FOREIGN)),
    ("rotation_invalid at leaf 3", lambda log: log.leaves[3]["rotation"].update(new=FOREIGN)),
    ("rotation_invalid at leaf 3", replace_leaf(3, lambda log: rotated(log.leaves[0], log.leaves[3], ("user 0", "user 3"), bytes(32)))),
    ("rotation_invalid at leaf 6", replace_leaf(6, lambda log: rotated(log.leaves[0], log.leaves[6], ("user 3", "user 6")))),
    ("key_returned at leaf 8", and_refit(replace_leaf(8, lambda log: {**log.leaves[3], "timestamp": START + 8}))),
    ("rotation_not_later at leaf 3", and_refit(replace_leaf(3, lambda log: {**log.leaves[3], "timestamp": START}))),
    ("duplicate_leaf at leaf 9", and_refit(replace_leaf(9, lambda log: {**log.leaves[8], "timestamp": START + 9}))),
    ("missing_leaf at leaf 11, head 12", lambda log: log.leaves.pop()),
    ("root_mismatch at head 2", lambda log: log.leaves.pop(1)),
    ("root_mismatch at head 5", lambda log: log.leaves[4].update(timestamp=START)),
    ("root_mismatch at head 10", set_head(10, root=INNER)),
    ("bad_policy at head 6", and_resign(set_head(6, policy={"t": 1, "n": 3}))),
    ("empty_head at head 0", and_resign(lambda log: log.heads.insert(0, {**log.heads[0], "tree_size": 0}))),
    ("same_cosigner at head 8", lambda log: log.heads[7].update(signatures=log.heads[7]["signatures"][:1] * 2)),
    ("unknown_cosigner at head 8", lambda log: log.heads[7]["signatures"].append({"cosigner": "cosigner_7", "sig": FOREIGN})),
    ("too_few_signatures at head 8", lambda log: log.heads[7]["signatures"].pop()),
    ("bad_signature at head 3", lambda log: log.heads[2]["signatures"][1].update(sig=FOREIGN)),
    ("unreadable at head 3", lambda log: log.heads[2]["signatures"][1].update(sig="AA==")),
    ("broken_link at head 9", set_head(9, prev_hash=INNER)),
    ("broken_link at head 1", set_head(1, prev_hash=INNER)),
    ("broken_link at head 4", lambda log: log.heads.pop(2)),
    ("shrunk at head 3", and_resign(lambda log: log.heads.insert(7, dict(log.heads[2])))),
    ("two_roots at head 7", and_resign(lambda log: log.heads.insert(7, {**log.heads[6], "root": INNER}))),
    ("time_went_back at head 7", and_resign(set_head(7, timestamp=START))),
    ("stale_head at leaf 7", lambda log: log.heads.__delitem__(slice(7, None))),
    ("same_cosigner", lambda log: log.document["cosigners"][2].update(public_key=public("cosigner_1"))),
    ("bad_policy", lambda log: log.document["cosigners"].pop()),
    ("bad_policy", lambda log: log.document.update(policy={"t": 1, "n": 3})),
    ("unreadable", lambda log: log.document["cosigners"][0].update(public_key=base64.b64encode(bytes(32)).decode())),
]

# What only a server can do: a route and what it answers instead.
FAULTS_OF_SERVERS = [
    ("stale_head at head 12", "/sth/latest", lambda log, _: log.heads[6]),
    ("two_roots at head 12", "/sth/latest", lambda log, _: {**log.heads[11], "root": INNER}),
    ("missing_leaf at leaf 5", "/did/leaves", lambda log, query: leaves_without(log, 5, query)),
    ("bad_inclusion at leaf 0, head 12", "/sth/proof/inclusion", lambda *_: {"leaf_index": 0, "tree_size": 12, "leaf_hash": INNER, "path": []}),
    ("bad_inclusion at leaf 0, head 12", "/sth/proof/inclusion", lambda *_: {"leaf_index": 0, "tree_size": 11, "leaf_hash": INNER, "path": []}),
    ("split_view at head 12", "/sth/proof/consistency", lambda *_: {"first": 1, "second": 12, "path": [INNER]}),
    ("bad_inclusion at leaf 0, head 12", "/sth/proof/inclusion", lambda log, query: {**log.proof(query), "leaf_index": 1}),
    ("bad_inclusion at leaf 0, head 12", "/sth/proof/inclusion", lambda log, query: {**log.proof(query), "leaf_hash": INNER}),
    ("bad_inclusion at leaf 0, head 12", "/sth/proof/inclusion", lambda log, query: {**log.proof(query), "path": [INNER]}),
    ("bad_inclusion at leaf 0, head 12", "/sth/proof/inclusion", lambda log, query: {**log.proof(query), "path": ["AA=="]}),
    ("split_view at head 12", "/sth/proof/consistency", lambda *_: {"first": 1, "second": 11, "path": []}),
    ("stale_head at head 12", "/sth/chain", lambda log, query: log.heads[10::-1] if "before" in query else log.heads[-1:]),
    ("stale_head at leaf 12", "/did/leaves", lambda log, query: leaves_without(log, None, {"from": ["0"]})),
    ("unreadable", "/sth/chain", lambda *_: {}),
    ("unreadable", "/sth/latest", lambda *_: []),
]


def leaves_without(log, dropped, query):
    start = int(query["from"][0])
    return [{"leaf_index": index, **leaf} for index, leaf in enumerate(log.leaves) if index >= start and index != dropped]


class HonestLogs(unittest.TestCase):
    def test_the_recorded_vectors_hold(self):
        code, out = program("--vectors", VECTORS)
        self.assertEqual(code, 0, out)

    def test_a_server_and_its_exported_files_give_one_verdict(self):
        log = Log()
        with served(log) as address, tempfile.TemporaryDirectory() as folder:
            remote, local = program(address, "--proofs", "all"), program(exported(log, folder))
        self.assertEqual((remote[0], local[0]), (0, 0), remote[1] + local[1])
        self.assertIn("proofs: 12 of each kind", remote[1])
        self.assertEqual(remote[1].splitlines()[-1], local[1].splitlines()[-1])
        self.assertIn("honest: 12 leaves of 10 ids under 12 heads", local[1])

    def test_an_empty_log_is_honest(self):
        with served(Log(0)) as address:
            self.assertEqual(program(address)[0], 0)


class PlantedFaults(unittest.TestCase):
    def test_every_fault_of_a_log_is_named_with_its_place(self):
        honest = Log()
        for expected, edit in FAULTS:
            log = copy.deepcopy(honest)
            edit(log)
            with self.subTest(expected), tempfile.TemporaryDirectory() as folder:
                code, out = program(exported(log, folder))
                self.assertEqual((code, out.splitlines()[-1].split(":")[0]), (1, f"FAIL {expected}"), out)

    def test_every_fault_of_a_server_is_named_with_its_place(self):
        for expected, route, answer in FAULTS_OF_SERVERS:
            log = Log()
            log.instead[route] = functools.partial(answer, log)
            with self.subTest(expected), served(log) as address:
                code, out = program(address)
                self.assertEqual((code, out.splitlines()[-1].split(":")[0]), (1, f"FAIL {expected}"), out)

    def test_what_was_seen_before_is_held_against_what_is_shown_now(self):
        with tempfile.TemporaryDirectory() as folder:
            state = os.path.join(folder, "state.json")
            fork, grown_fork, other, changed = Log(8), Log(12), Log(8), Log(12)
            for one in (fork, grown_fork):
                one.leaves[7]["timestamp"] += 1
                one.refit()
            # The same leaves under another head, and a log whose chain has lost the head that was seen.
            again, without = Log(8), Log(12)
            again.heads[7]["timestamp"] += 1
            without.heads.pop(7)
            for one in (again, without):
                one.resign()
            other.document["log_id"] = base64.b64encode(bytes(32)).decode()
            changed.document["cosigners"][1]["public_key"] = public("another")
            shown = [(Log(8), None), (Log(9), None), (Log(5), "rollback at head 5"), (Log(0), "rollback at head 0")]
            shown += [(grown_fork, "split_view at head 12"), (other, "wrong_log"), (changed, "key_changed")]
            for log, expected in shown:
                with served(log) as address:
                    code, out = program(address, "--state", state)
                self.assertEqual((code, out.startswith(f"FAIL {expected}")), (1, True) if expected else (0, False), out)
            with served(Log(8)) as address:
                os.remove(state)
                program(address, "--state", state)
            for log in (fork, again, without):
                with served(log) as address:
                    self.assertIn("FAIL split_view at head 8: ", program(address, "--state", state)[1])

    def test_a_server_that_hangs_is_unreachable_in_time(self):
        for route in ("/sth/chain", "/sth/proof/consistency"):
            log = Log(3)
            log.instead[route] = lambda _: "hang"
            started = time.monotonic()
            with self.subTest(route), served(log) as address:
                code, out = program(address, "--timeout", "0.3")
                self.assertEqual((code, out.splitlines()[-1].split(":")[0]), (8, "FAIL unreachable"))
            self.assertLess(time.monotonic() - started, 3)

    def test_torn_and_ambiguous_files_are_unreadable(self):
        for name, tail in (("sth.jsonl", '{"tree_size":13'), ("users.jsonl", '{"id":"a","id":"b"}'), ("sth.jsonl", "NaN")):
            with self.subTest(tail), tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(exported(Log(), folder), name), "a", encoding="utf-8") as file:
                    file.write(tail)
                self.assertRegex(program(folder)[1], r"FAIL unreadable: \w+\.jsonl, line 13: ")


    def test_a_log_with_leaves_that_no_head_is_over_is_stale(self):
        log = Log()
        del log.heads[7:]
        with served(log) as address:
            self.assertIn("FAIL stale_head at leaf 7: ", program(address)[1])

    def test_a_server_that_fails_or_floods_is_told_apart(self):
        for status, body, expected in ((500, {}, (8, "unreachable")), (404, {}, (1, "unreadable")), (200, "x" * 9_000_000, (1, "unreadable"))):
            log = Log(3)
            log.answer = lambda *_, status=status, body=body: (status, body)
            with self.subTest(status), served(log) as address:
                code, out = program(address)
                self.assertEqual((code, out.split(":")[0]), (expected[0], f"FAIL {expected[1]}"), out[:200])

    def test_a_state_file_that_is_none_is_unreadable(self):
        with tempfile.TemporaryDirectory() as folder:
            state = os.path.join(folder, "state.json")
            for text in ("", "[]", "{}", '{"log_id": "AA==", "cosigners": []}'):
                with open(state, "w", encoding="utf-8") as file:
                    file.write(text)
                self.assertIn("FAIL unreadable: ", program(exported(Log(3), folder), "--state", state)[1], text)

    def test_every_edit_of_the_vectors_is_noticed(self):
        with open(VECTORS, encoding="utf-8") as file:
            vectors = json.load(file)
        edits = [
            lambda copied: copied["leaves"].__setitem__(4, INNER),
            lambda copied: copied["head_hashes"].__setitem__(4, INNER),
            lambda copied: copied["inclusion"][5]["path"].__setitem__(0, INNER),
            lambda copied: copied["consistency"][5]["path"].__setitem__(0, INNER),
            lambda copied: copied["registrations"][2].update(timestamp=0),
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vectors.json")
            for number, edit in enumerate(edits):
                copied = copy.deepcopy(vectors)
                edit(copied)
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(copied, file)
                self.assertEqual(program("--vectors", path)[0], 1, number)


# What is no registration, head, key or key document: one part of a good one, replaced.
BAD_REGISTRATIONS = [{"id": bad} for bad in ("", "x" * 256, "two words", "line\n", "\u00e4", 7, None)]
BAD_REGISTRATIONS += [{"timestamp": bad} for bad in (-1, 2**53, 1.0, "1", True, None)]
BAD_REGISTRATIONS += [{"public_key": bad} for bad in ("", "AA==", FOREIGN, None)]
BAD_REGISTRATIONS += [{"rotation": bad} for bad in ({}, "x", {"old": FOREIGN, "new": "AA=="}, {"old": FOREIGN})]
BAD_HEADS = [{"tree_size": bad} for bad in (-1, 1.0, "1", None)] + [{"root": "AA=="}, {"root": ""}, {"prev_hash": None}, {"prev_hash": "AA=="}]
BAD_HEADS += [{"timestamp": -1}, {"timestamp": "1"}, {"signatures": None}, {"signatures": [7]}, {"signatures": [{"cosigner": 1, "sig": FOREIGN}]}]
BAD_HEADS += [{"signatures": [{"cosigner": "x", "sig": "AA=="}]}, {"more": 1.5}, {"more": 2**60}]
BAD_KEYS = [{"cosigner": ""}, {"cosigner": 7}, {"public_key": "AA=="}, {"public_key": INNER[:-4] + "AAA="}, {"from": -1}, {"from": "1"}]
BAD_KEYS += [{"until": -1}, {"until": "1"}, {"endorsement": "AA=="}, {"ended_at": 7}, {"ended_at": {}}]
BAD_KEYS += [{"ended_at": {"tree_size": 7, "head": "AA=="}}, {"ended_at": {"tree_size": -1, "head": INNER}}]
BAD_DOCUMENTS = [{"version": 2}, {"log_id": "AA=="}, {"log_key": None}, {"cosigners": {}}]


class Parts(unittest.TestCase):
    def test_what_has_not_the_right_shape_is_not_read(self):
        log = Log(1)
        shapes = [
            ("bad_registration", BAD_REGISTRATIONS, log.leaves[0], lambda value: audit.Registration(value, 0)),
            ("unreadable", BAD_HEADS, log.heads[0], lambda value: audit.Head(value, "here")),
            ("unreadable", BAD_KEYS, cosigner(0), audit.Key),
            ("unreadable", BAD_DOCUMENTS, log.document, audit.KeyDocument),
        ]
        for code, bads, good, read in shapes:
            read(good)
            for bad in [{**good, **part} for part in bads] + [None, [], "x"]:
                with self.subTest(bad), self.assertRaises(audit.Fault) as found:
                    read(bad)
                self.assertEqual(found.exception.code, code)

    def test_base64_has_one_spelling(self):
        text = base64.b64encode(b"\xfb" * 32).decode()
        self.assertEqual(audit.unbase64(text, 32), b"\xfb" * 32)
        for strange in (text[:-1], text + "=", text.replace("+", "-"), " " + text, text + "\n", text[:-2] + "/=", "", None, 7, "ä"):
            self.assertIsNone(audit.unbase64(strange, 32), strange)

    def test_canonical_json_is_that_of_rfc_8785(self):
        names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": {"b": True, "a": None}}
        expected = '{"\\r":2,"1":4,"\u0080":6,"\u00f6":{"a":null,"b":true},"\u20ac":1,"\U0001f600":5,"\ufb33":3}'
        self.assertEqual(audit.canonical_json(names), expected)
        self.assertEqual(audit.canonical_json('€$\x0f\nA\'B"\\\\"/'), '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"')
        for refused in (1.5, 2**53, "\ud800"):
            self.assertRaises(ValueError, audit.canonical_json, refused)

    def test_every_proof_of_every_small_tree_holds_and_no_inner_node_is_a_leaf(self):
        leaves, tree = [hashlib.sha256(bytes([number])).digest() for number in range(33)], audit.Tree()
        for size, leaf in enumerate(leaves, 1):
            tree.append(leaf)
            root, part = root_of(leaves[:size]), leaves[:size]
            self.assertEqual(tree.root(), root)
            for index in range(size):
                self.assertTrue(audit.verifies_inclusion(part[index], index, size, inclusion(index, part), root))
            for first in range(1, size + 1):
                path = consistency(first, part)
                self.assertTrue(audit.verifies_consistency(first, size, path, root_of(leaves[:first]), root))
                self.assertFalse(audit.verifies_consistency(first, size, path, bytes(32), root))
            for index in range(0, size - 1, 2):
                node, path = root_of(part[index : index + 2]), inclusion(index, part)[1:]
                self.assertFalse(any(audit.verifies_inclusion(node, other, size, path, root) for other in range(size)))

    def test_the_id_of_24_bytes_whose_leaf_is_an_inner_node_is_refused_twice(self):
        # Found by search: the left leaf's first 24 bytes are UTF-8, the right one's last 8 are a time below 2^53.
        key = hashlib.sha256(b"a key that nobody has to own").digest()
        left = audit.leaf_hash("did:nexo:left-866893", key, START)
        right = audit.leaf_hash("did:nexo:right-1858", key, START + 1)
        name, phantom_key, moment = left[:24].decode("utf-8"), left[24:] + right[:24], int.from_bytes(right[24:], "big")
        phantom = audit.leaf_hash(name, phantom_key, moment)
        self.assertEqual(phantom, root_of([left, right]))
        body = {"id": name, "public_key": base64.b64encode(phantom_key).decode(), "timestamp": moment}
        with self.assertRaisesRegex(audit.Fault, "grammar"):
            audit.Registration(body, 0)
        self.assertFalse(any(audit.verifies_inclusion(phantom, index, 2, [], phantom) for index in (0, 1)))

    def test_weak_keys_and_stretched_signatures_verify_nothing(self):
        # Source: "Taming the many EdDSAs" (SSR 2020), table 1, and y = 2, which is no point.
        weak = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xee" + b"\xff" * 31, b"\x02" + bytes(31)]
        weak += [bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85")]
        weak += [bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
        for encoded in weak:
            self.assertFalse(audit.is_good_key(encoded), encoded.hex())
        key, good = base64.b64decode(public("a")), base64.b64decode(sign("a", b"message"))
        self.assertTrue(audit.is_signed(key, b"message", good))
        stretched = (int.from_bytes(good[32:], "little") + audit.L).to_bytes(32, "little")
        self.assertFalse(audit.is_signed(key, b"message", good[:32] + stretched))
        self.assertFalse(audit.is_signed(key, b"another", good))

    def test_a_call_that_is_not_understood_ends_with_2(self):
        for given in ([], ["nowhere"], ["http://"], ["--vectors", "a", "b"], ["http://127.0.0.1", "--proofs", "some"]):
            with self.subTest(given), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as ended:
                audit.main(given)
            self.assertEqual(ended.exception.code, 2)


if __name__ == "__main__":
    unittest.main()

"""Whose signatures count: which key documents are refused, by who saw nothing before and by who saw or pinned the old keys."""

import base64
import copy
import json
import os
import tempfile
import unittest

from test_audit import LOG_ID, START, Log, cosigner, exported, hash_of, program, public, served, sign

LOST = f"; the key of cosigner_1 from {START + 6} on has no word of the key before it; whoever saw the old one is right to be alarmed"


def hash_at(log, size):
    return base64.b64encode(hash_of(next(head for head in log.heads if head["tree_size"] == size))).decode()


def endorse(entry, by):
    parts = LOG_ID + entry["cosigner"].encode() + base64.b64decode(entry["public_key"]) + entry["from"].to_bytes(8, "big")
    return {**entry, "endorsement": sign(by, b"nexus/cosigner-rotate/1" + parts)}


def successor(number, begin, is_endorsed=True):
    after = {**cosigner(number, f"another {number}"), "from": begin}
    return endorse(after, f"cosigner_{number}") if is_endorsed else after


def replace_key(log, number, size, is_endorsed=True):
    """An open change of a cosigner's key after a head."""
    begin = log.heads[size - 1]["timestamp"] + 1
    log.document["cosigners"][number]["until"] = begin
    log.document["cosigners"].append(successor(number, begin, is_endorsed))
    for head in log.heads[size:]:
        for one in head["signatures"]:
            if one["cosigner"] == f"cosigner_{number}":
                one["sig"] = sign(f"another {number}", hash_of(head))


def moved(is_endorsed=True):
    """An honest log whose cosigner_1 has another key after the head over 6 leaves."""
    log = Log()
    replace_key(log, 1, 6, is_endorsed)
    return log


def ended():
    """As `moved`, and the old key names its last head."""
    log = moved()
    set_last(log, 6, hash_at(log, 6))
    return log


def set_last(log, size, head, entry=1):
    log.document["cosigners"][entry]["ended_at"] = {"tree_size": size, "head": head}


def judge(log, *given):
    """Exit code and last line about the exported files."""
    with tempfile.TemporaryDirectory() as folder:
        code, out = program(exported(log, folder), *given)
    return code, out.splitlines()[-1]


def judge_after(seen, log):
    """What who saw one log says about another: with a state file, and with pinned keys. Both must say the same."""
    with tempfile.TemporaryDirectory() as folder:
        state, keys = os.path.join(folder, "state.json"), os.path.join(folder, "keys.json")
        first = judge(seen, "--state", state)
        if first[0] != 0:
            raise AssertionError(first)
        with open(keys, "w", encoding="utf-8") as file:
            json.dump(seen.document, file)
        remembered, pinned = judge(log, "--state", state), judge(log, "--keys", keys)
    if remembered != pinned:
        raise AssertionError((remembered, pinned))
    return remembered


def put(entry, **parts):
    return lambda keys: keys[entry].update(parts)


def push(*entries):
    return lambda keys: keys.extend(entries)


def move_to(begin):
    return lambda keys: (keys[1].update(until=begin), keys[3].update({"from": begin}))


def back(keys):
    keys[3]["until"] = START + 50
    keys.append({**keys[1], "from": START + 50, "until": None})


def insert_empty(end):
    """A key between the two of cosigner_1 that counts at no time, every word in its place."""

    def edit(keys):
        keys[3] = endorse(keys[3], "x")
        keys.insert(3, endorse({**cosigner(1, "x"), "from": START + 6, "until": end}, "cosigner_1"))

    return edit

# What nobody may believe, whatever he saw: how the document of `moved` is edited.
MISSHAPEN = [
    ("somebody's word", "key_changed", put(3, endorsement=sign("somebody", b"x"))),
    ("a word for another time", "key_changed", move_to(START + 7)),
    ("a first key with a word", "key_changed", put(0, endorsement=sign("cosigner_0", b"x"))),
    ("its own predecessor", "key_changed", insert_empty(START + 6)),
    ("an end before the beginning", "key_changed", insert_empty(START + 5)),
    ("two first keys", "key_changed", push(cosigner(0, "x"))),
    ("two first keys, one of which ends", "key_changed", push({**cosigner(0, "x"), "until": START})),
    ("two new keys", "key_changed", push({**successor(1, START + 6), "public_key": public("x")})),
    ("an entry twice", "same_cosigner", lambda keys: keys.append(keys[3])),
    ("an invented cosigner", "bad_policy", push(cosigner(3))),
    ("two invented cosigners", "bad_policy", push(cosigner(3), cosigner(4))),
    ("an invented cosigner for another", "bad_policy", put(2, cosigner="cosigner_3")),
    ("a gap", "key_changed", put(1, until=START + 5)),
    ("an overlap", "key_changed", put(1, until=START + 7)),
    ("a key before one that never ended", "key_changed", put(1, until=None)),
    ("a last key that ended", "key_changed", put(2, until=START + 60)),
    ("a key that returns", "same_cosigner", back),
    ("a key that another left", "same_cosigner", put(2, public_key=public("cosigner_1"))),
    ("a last head without an end", "key_changed", put(2, ended_at={"tree_size": 6, "head": public("x")})),
]


class KeysOfCosigners(unittest.TestCase):
    def check(self, found, expected):
        self.assertEqual((found[0], found[1].split(":")[0]), (0, "honest") if expected is None else (1, f"FAIL {expected}"), found)

    def test_a_new_key_counts_from_its_time_on(self):
        self.check(judge(moved()), None)
        self.assertTrue(judge_after(Log(), moved())[1].endswith("; single-operator log"))

    def test_a_lost_key_is_an_alarm_only_for_who_saw_the_old_one(self):
        found = judge(moved(False))
        self.assertEqual((found[0], found[1].endswith("; single-operator log" + LOST)), (0, True), found)
        self.check(judge_after(Log(), moved(False)), "key_changed")
        self.assertTrue(judge_after(moved(False), moved(False))[1].endswith(LOST))
        twice = moved(False)
        replace_key(twice, 2, 9)
        self.assertTrue(judge_after(moved(False), twice)[1].endswith(LOST))
        self.check(judge_after(moved(), twice), "key_changed")

    def test_a_document_out_of_shape_is_refused_whatever_was_seen(self):
        for name, expected, edit in MISSHAPEN:
            log = moved()
            edit(log.document["cosigners"])
            with self.subTest(name):
                self.check(judge(log), expected)
                self.check(judge_after(Log(), log), expected)
                self.check(judge_after(moved(), log), expected)

    def test_keys_put_before_those_that_were_seen_are_refused(self):
        log = Log()
        for key in log.document["cosigners"]:
            key["from"] = START - 5
        before = copy.deepcopy(log)
        log.document["cosigners"] += [{**cosigner(number, f"x{number}"), "from": START - 9, "until": START - 5} for number in range(3)]
        self.check(judge(log), None)
        self.check(judge_after(before, log), "key_changed")

    def test_pinned_keys_are_held_against_a_server_and_stand_in_for_a_missing_file(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
            pinned = os.path.join(exported(Log(), folder), "key-transparency.json")
            with served(moved(False)) as address:
                self.assertEqual(program(address)[0], 0)
                self.assertRegex(program(address, "--keys", pinned)[1], "^FAIL key_changed: the key of cosigner_1 from [0-9]+ on is new")
            with served(moved()) as address:
                self.assertEqual(program(address, "--keys", pinned)[0], 0)
            os.remove(os.path.join(exported(Log(), other), "key-transparency.json"))
            self.assertEqual(program(other, "--keys", pinned)[0], 0)
            foreign = Log()
            foreign.document["log_id"] = base64.b64encode(bytes(32)).decode()
            self.check(judge(foreign, "--keys", pinned), "wrong_log")

    def test_an_ended_key_counts_for_no_head_beyond_its_last_one(self):
        self.check(judge_after(Log(), ended()), None)
        self.check(judge_after(ended(), ended()), None)
        backdated = Log()
        for head in backdated.heads[6:]:
            head["timestamp"] = START + 5
        backdated.resign()
        backdated.document["cosigners"][1]["until"] = START + 6
        backdated.document["cosigners"].append(successor(1, START + 6))
        self.check(judge(backdated), None)
        set_last(backdated, 6, hash_at(backdated, 6))
        self.check(judge(backdated), "unknown_cosigner at head 7")

    def test_the_last_head_of_an_ended_key_stands_in_the_chain(self):
        other, at_the_end, skipped, short, two = ended(), ended(), ended(), ended(), ended()
        set_last(other, 6, hash_at(other, 5))
        self.check(judge(other), "split_view at head 6")
        del at_the_end.leaves[6:], at_the_end.heads[6:]
        self.check(judge(at_the_end), None)
        set_last(at_the_end, 6, hash_at(at_the_end, 5))
        self.check(judge(at_the_end), "split_view at head 6")
        skipped.heads.pop(5)
        skipped.resign()
        self.check(judge(skipped), "split_view at head 6")
        for size in (5, 0):
            del short.leaves[size:], short.heads[size:]
            self.check(judge(short), f"rollback at head {size}")
        replace_key(two, 2, 6)
        set_last(two, 6, hash_at(two, 6), entry=2)
        self.check(judge(two), None)
        for entry in (1, 2):
            torn = copy.deepcopy(two)
            set_last(torn, 6, hash_at(two, 5), entry)
            self.check(judge(torn), "split_view at head 6")

    def test_a_last_head_that_was_seen_neither_changes_nor_vanishes(self):
        later = ended()
        set_last(later, 7, hash_at(later, 7))
        self.check(judge_after(ended(), later), "key_changed")
        self.check(judge_after(ended(), moved()), "key_changed")
        self.check(judge_after(moved(), ended()), "key_changed")


if __name__ == "__main__":
    unittest.main()

//! What is refused, where and with which words; what is idle; and that the guide tells of everything.

use super::super::{functions, paths, reading};
use super::*;

#[test]
fn everything_wrong_is_told_with_its_place_and_what_to_do() {
    const MESSAGE: &str = "[message]\nchannel = \"1\"\ntext = \"x\"\n";
    let with = |rest: &str| format!("on = [\"PAYMENT_RECEIVED\"]\n{rest}\n{MESSAGE}");
    let cases: &[(String, &str)] = &[
        (String::new(), "1:1: This rule does nothing. Add [http], [[emit]] or [message]."),
        (
            MESSAGE.to_owned(),
            "1:1: `on` is missing. Say which events it wants, such as on = [\"FLOWPAY:PAYMENT_RECEIVED\"].",
        ),
        ("on = [".to_owned(), "1:7: This is not TOML: "),
        (
            "on = 3\n[http]\nurl = \"https://a/\"".to_owned(),
            "1:6: `on` is a list of types, and here stands a number.",
        ),
        ("on = []\n".to_owned() + MESSAGE, "1:6: `on` lists 1 to 20 types."),
        (
            "on = [\"FLOWPAY:PAYMENT_RECIEVED\"]\n".to_owned() + MESSAGE,
            "1:7: Nobody knows the type `FLOWPAY:PAYMENT_RECIEVED`. Did you mean `FLOWPAY:PAYMENT_RECEIVED`?",
        ),
        (
            with("concurency = 3"),
            "2:1: There is no key `concurency`. Did you mean `concurrency`?",
        ),
        (with("url = \"x\""), "2:1: There is no key `url`. `url` belongs under [http]."),
        (
            with("concurrency = 65"),
            "2:15: `concurrency` is from 1 to 64. Such as concurrency = 64.",
        ),
        (
            with("enabled = \"no\""),
            "2:11: `enabled` is true or false, and here stands a text. Such as enabled = false.",
        ),
        (
            with(&format!("description = \"{}\"", "x".repeat(201))),
            "2:15: A description has at most 200 characters.",
        ),
        (with("when = \"payload.amount >\""), "2:25: Something is missing here."),
        (with("when = \"payload.a = 1\""), "2:19: `=` has no place here. Compare with ==."),
        (with("when = \"{{ payload.a }}\""), "2:8: A condition has no {{ }}."),
        (
            with("key = \"\\u00e9 {{ paylod.a }}\""),
            "2:18: `paylod` is not known here. Did you mean `payload`?",
        ),
        (
            with("key = \"\"\"\nfirst\n  {{ payload. }}\"\"\""),
            "4:15: Here is the name of a member missing.",
        ),
        (with("key = \"{{ payload.a\""), "2:8: This {{ has no end. Close it with }}."),
        (with("key = \"{% if x %}\""), "2:8: There is no {% here, only {{ … }}."),
        (
            with("[http]\nurl = \"https://a/\"\ntimeout_ms = \"10s\""),
            "4:14: `http.timeout_ms` is a whole number, and here stands a text.",
        ),
        (
            with("[http]\nurl = \"https://a/\"\ntimeout_ms = 0"),
            "4:14: `http.timeout_ms` is from 1 to 30000.",
        ),
        (
            with("[http]\nbody = \"x\""),
            "2:2: `http.url` is missing. Such as url = \"https://example.org/api\".",
        ),
        (
            with("[http]\nurl = \"https://a/\"\nbody = \"x\"\njson = {}"),
            "4:1: A request has either `json` or `body`.",
        ),
        (
            with("[http]\nurl = \"https://a/\"\nmethod = \"post\""),
            "4:10: There is no method `post` here. Did you mean `POST`?",
        ),
        (
            with("[http]\nurl = \"https://a/\"\nmethod = \"GET\"\nbody = \"x\""),
            "4:10: A GET has no body.",
        ),
        (
            with("[http]\nurl = \"https://a/\"\nfinal = [200]"),
            "4:10: `http.final` lists statuses from 400 to 599.",
        ),
        (
            with("[http]\nurl = \"https://a/\"\nheaders = { Host = \"x\" }"),
            "4:13: The header `Host` is not a rule's to set.",
        ),
        (
            with("[http]\nurl = \"https://a/\"\nheaders = { \"a b\" = \"x\" }"),
            "4:13: `a b` is no header's name.",
        ),
        (
            with("[http]\nurl = \"https://a/\"\njson = { x = inf }"),
            "4:14: JSON has no such number, at `http.json.x`.",
        ),
        (
            with("[http]\nurl = \"factory/\""),
            "3:7: `http.url` does not begin with http:// or https://.",
        ),
        (
            with("[http]\nurl = \"{{ payload.url }}\""),
            "3:7: `http.url` does not begin with http:// or https://.",
        ),
        (
            with("[http]\nurl = \"https://{{ payload.host }}/x\""),
            "3:7: `http.url` lets the event choose the host, which only the rule may.",
        ),
        (
            with("[http]\nurl = \"https://a/{{ answer.status }}\""),
            "3:21: There is no answer here.",
        ),
        (
            with("[emit]\nevent = \"NEXUS:START\""),
            "2:1: `emit` is a list of tables, and here stands a table.",
        ),
        (
            with("[[emit]]\nevent = \"NEXUS:STRAT\"\npayload = {}"),
            "3:9: Nobody knows the type `NEXUS:STRAT`. Did you mean `NEXUS:START`?",
        ),
        (
            with("[[emit]]\nevent = \"nexus:message_create\"\npayload = {}"),
            "3:9: `nexus:message_create` is told by the platform alone.",
        ),
        (with("[[emit]]\nevent = \"NEXUS:START\""), "2:1: `emit.payload` is missing."),
        (with("[[emit]]\npayload = {}"), "2:1: `emit.event` is missing."),
        (
            with(&"[[emit]]\nevent = \"NEXUS:START\"\npayload = {}\n".repeat(5)),
            "14:1: A rule makes at most 4 events of one.",
        ),
        (
            "on = [\"START\"]\n[message]\nchannel = \"general\"\ntext = \"x\"".to_owned(),
            "3:11: `message.channel` is not the number of a channel.",
        ),
        (
            "on = [\"START\"]\n[message]\nchannel = \"1\"".to_owned(),
            "2:2: `message.text` is missing.",
        ),
        (
            "on = [\"START\"]\n[message]\nchannel = \"1\"\ntext = \"{{ answer.text }}\"".to_owned(),
            "4:12: There is no answer here.",
        ),
        (
            "on = [\"START\"]\n[[message]]\nchannel = \"1\"".to_owned(),
            "2:1: `message` is one table, and here stands a list.",
        ),
    ];
    for (source, wanted) in cases {
        let errors = read(source).expect_err(source);
        let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let wanted = format!("test.toml:{wanted}");
        assert!(said.iter().any(|said| said.starts_with(&wanted)), "{source}\n{said:#?}\n{wanted}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() {
    let errors = read("on = [\"NOPE:NOPE\"]\nconcurrency = 0\nwhen = \"(\"\nnope = 1\n").expect_err("refused");
    let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 1, 2, 3, 4]);
}

#[test]
fn a_rule_without_its_variables_is_idle_and_names_them() {
    for (url, idle) in [
        ("{{ env.FACTORY_API_URL }}/x", None),
        ("{{ env.NOT_SET }}/x", Some("NOT_SET is not set.")),
        ("{{ env.EMPTY }}/x", Some("EMPTY is not set.")),
        ("{{ env.NOT_SET }}/{{ env.NOR_THIS }}", Some("NOR_THIS and NOT_SET are not set.")),
        (
            "{{ env.BAD_URL }}/x",
            Some("`http.url` does not begin with http:// or https://; correct BAD_URL."),
        ),
    ] {
        assert_eq!(http(&format!("url = \"{url}\"")).idle(), idle, "{url}");
    }
    let rule = rule("on = [\"START\"]\n[message]\nchannel = \"{{ env.BAD_URL }}\"\ntext = \"x\"");
    assert_eq!(
        rule.idle(),
        Some("`message.channel` is not the number of a channel; correct BAD_URL.")
    );
}

#[test]
fn only_what_a_rule_mentions_is_asked_of_the_environment() {
    let asked = std::cell::RefCell::new(vec![]);
    let environment = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        None
    };
    let source = "on = [\"START\"]\nwhen = \"env.A == env['B']\"\n[http]\nurl = \"https://a/{{ env.C | urlencode }}\"\n[http.json]\nx = [\"{{ env.D }}\"]";
    Rule::read("test", source, &types(), &environment).expect("a rule");
    assert_eq!(*asked.borrow(), ["A", "B", "C", "D"]);
}

#[test]
fn the_guide_tells_everything_and_each_of_its_rules_can_be_read() {
    const GUIDE: &str = include_str!("../../../../../../docs/guide/reactors.md");
    let blocks: Vec<_> = GUIDE
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(blocks.len() >= 5, "{}", blocks.len());
    for block in blocks {
        let rule = rule(block);
        assert!(!rule.description().is_empty(), "{block}");
    }
    let words = functions::FILTERS
        .iter()
        .chain(functions::TESTS)
        .chain(reading::TOP)
        .chain(reading::HTTP);
    for word in words
        .chain(reading::EMIT)
        .chain(reading::MESSAGE)
        .chain(paths::EVENT)
        .chain(paths::ANSWER)
    {
        let is_told = GUIDE.match_indices(word).any(|(at, _)| {
            let (before, after) = (&GUIDE[..at], &GUIDE[at + word.len()..]);
            before.ends_with(['`', '.', '[', ' ']) && after.starts_with(['`', '(', ']', ' '])
        });
        assert!(is_told, "the guide does not tell of {word}");
    }
}

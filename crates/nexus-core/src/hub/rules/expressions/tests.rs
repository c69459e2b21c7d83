//! Expressions as tables: what they are, and how those are refused that are none.

use std::collections::BTreeMap;

use super::super::paths::Facts;
use super::super::paths::tests::event;
use super::*;

const PAYLOAD: &str = r#"{"amount":15.00,"count":3,"big":123456789012345678901234567890,"huge":9007199254740993,"wide":170141183460469231731687303715884105726,"name":"Åsa \"K\"",
    "empty":"","zero":0.0,"null":null,"yes":true,"list":["a","b",2.50],"deep":{"x":{"y z":"found"}},"digits":"12.5","ms":1700000000000}"#;

/// The value as JSON, `missing`, `nothing`, or the sentence.
fn value(text: &str) -> String {
    let expression = match Expression::read(text, false) {
        Ok(expression) => expression,
        Err(fault) => return format!("refused at {}: {} {}", fault.at, fault.reason, fault.hint.unwrap_or_default()),
    };
    let event = event("FLOWPAY:PAYMENT_RECEIVED", PAYLOAD);
    let facts = Facts::new(&event);
    let environment = BTreeMap::from([("KEY".to_owned(), "secret".to_owned())]);
    let scope = Scope {
        facts: &facts,
        environment: &environment,
        answer: None,
    };
    match expression.value(scope) {
        Ok(Outcome::Missing) => "missing".to_owned(),
        Ok(Outcome::Nothing) => "nothing".to_owned(),
        Ok(Outcome::Json(json)) => json.into_owned(),
        Err(reason) => reason,
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(value(text), *wanted, "{text}");
    }
}

#[test]
fn a_member_is_copied_exactly_as_it_was_sent() {
    check(&[
        ("payload.amount", "15.00"),
        ("payload.nope or payload.amount", "15.00"),
        ("payload.amount if payload.yes else 1", "15.00"),
        ("payload.amount | default(1)", "15.00"),
        ("'a' ~ payload.amount", "\"a15.00\""),
        ("payload.big", "123456789012345678901234567890"),
        ("payload.big | default(1)", "123456789012345678901234567890"),
        ("payload.huge + 0", "9007199254740993"),
        ("payload.wide + 1", "170141183460469231731687303715884105727"),
        ("payload.name", "\"Åsa \\\"K\\\"\""),
        ("payload.deep", "{\"x\":{\"y z\":\"found\"}}"),
        ("payload.deep.x['y z']", "\"found\""),
        ("payload.list[2]", "2.50"),
        ("payload.list | last", "2.50"),
        ("payload.list[payload.count - 1]", "2.50"),
        ("payload.list[-1]", "2.50"),
        ("event.type", "\"FLOWPAY:PAYMENT_RECEIVED\""),
        ("env.KEY", "\"secret\""),
    ]);
}

#[test]
fn what_is_missing_is_false_and_can_be_replaced() {
    check(&[
        ("payload.nope", "missing"),
        ("payload.nope.deeper[0].still", "missing"),
        ("payload.nope or payload.empty or 'c'", "\"c\""),
        ("payload.nope or payload.null", "null"),
        ("payload.nope and 1", "missing"),
        ("not payload.nope", "true"),
        ("payload.nope | default('d')", "\"d\""),
        ("payload.null | default('d')", "\"d\""),
        ("payload.nope == 'a'", "false"),
        ("payload.nope != 'a'", "true"),
        ("payload.nope == none", "true"),
        ("payload.nope < 5", "false"),
        ("payload.nope >= 5", "false"),
        ("payload.nope in 'abc'", "false"),
        ("'a' in payload.nope", "false"),
        ("payload.nope is defined", "false"),
        ("payload.null is not none", "false"),
        ("1 if payload.nope", "nothing"),
        ("('(' ~ payload.nope ~ ')' if payload.nope) ~ 'x'", "\"x\""),
        (
            "'a' ~ payload.nope",
            "`'a' ~ payload.nope` can't be computed: something is missing in it. `payload.nope` is missing.",
        ),
        (
            "payload.nope + 1",
            "`payload.nope + 1` can't be computed: `+` can't be used on what is missing. `payload.nope` is missing.",
        ),
    ]);
}

#[test]
fn numbers_and_texts_are_computed_and_never_mixed_up() {
    check(&[
        ("1 + 2 * 3 - 4", "3"),
        ("(1 + 2) * 3", "9"),
        ("'a' + 'b'", "\"ab\""),
        ("0.5 + 1 - 0.25", "1.25"),
        ("'a' + 1", "`'a' + 1` can't be computed: `+` can't be used on a text."),
        ("7 // 2 + 7 % 2", "4"),
        ("7 / 2", "3.5"),
        ("-payload.count * -2", "6"),
        ("payload.count * 100", "300"),
        ("payload.amount * 2", "30.0"),
        ("payload.amount == 15", "true"),
        ("payload.amount > 14.99 and payload.amount <= 15", "true"),
        ("'b' > 'a'", "true"),
        ("payload.count in [1, 2, 3]", "true"),
        ("payload.count not in [1, 2, 3]", "false"),
        ("'x' in payload.deep", "true"),
        ("1 if false else 2 if false else 3", "3"),
        ("true and not false or false", "true"),
        (
            "payload.digits > 5",
            "`payload.digits > 5` can't be computed: `>` can't compare a text with a number.",
        ),
        ("payload.digits | float > 5", "true"),
        (
            "payload.name * 3",
            "`payload.name * 3` can't be computed: `*` can't be used on a text.",
        ),
        (
            "[1] * 1000000000",
            "`[1] * 1000000000` can't be computed: `*` can't be used on a list.",
        ),
    ]);
}

#[test]
fn filters_change_values() {
    check(&[
        ("payload.name | upper", "\"ÅSA \\\"K\\\"\""),
        ("payload.name | length", "7"),
        ("payload.name | truncate(4)", "\"Åsa…\""),
        ("payload.name | replace('K', 'Q') | trim", "\"Åsa \\\"Q\\\"\""),
        ("payload.name | urlencode", "\"%C3%85sa%20%22K%22\""),
        ("payload.deep | tojson", "\"{\\\"x\\\":{\\\"y z\\\":\\\"found\\\"}}\""),
        ("payload.list | join('; ')", "\"a; b; 2.50\""),
        ("payload.list | first", "\"a\""),
        ("payload.amount | fixed(3)", "\"15.000\""),
        ("payload.count | fixed(2)", "\"3.00\""),
        ("payload.digits | int", "12"),
        ("2.345 | round(2)", "2.35"),
        ("-3 | abs", "3"),
        ("payload.count | string", "\"3\""),
        ("payload.ms | isotime", "\"2023-11-14T22:13:20Z\""),
        ("payload.name is startingwith('Å')", "true"),
        (
            "payload.name | replace('', 'x')",
            "`payload.name | replace('', 'x')` can't be computed: `replace` can't replace an empty text.",
        ),
    ]);
}

#[test]
fn what_can_not_be_read_is_refused_at_its_place() {
    check(&[
        ("", "refused at 0: Something is missing here. "),
        ("payload.a ==", "refused at 12: Something is missing here. "),
        ("payload.a = 1", "refused at 10: `=` has no place here. Compare with ==."),
        ("payload.a && 1", "refused at 10: `&&` has no place here. Write `and`."),
        (
            "payload.a payload.b",
            "refused at 10: `payload` has no place here. Is there an operator or a quote missing before it?",
        ),
        (
            "2 ** 9",
            "refused at 2: `**` has no place here. There are no powers; write the factors out.",
        ),
        ("1 < 2 < 3", "refused at 6: `<` has no place here. Join two comparisons with `and`."),
        (
            "range(5)",
            "refused at 0: There is no function `range`. Values are changed with filters, such as `payload.name | lower`.",
        ),
        (
            "paylod.a",
            "refused at 0: `paylod` is not known here. Did you mean `payload`? A text stands in quotes.",
        ),
        (
            "event.kind",
            "refused at 0: `event` has no member `kind`. There are: id, type, source, position, timestamp.",
        ),
        (
            "payload.a | lowercase",
            "refused at 12: There is no filter `lowercase`. There are: default, lower, upper, trim, replace, truncate, length, first, last, join, string, int, float, abs, round, fixed, isotime, tojson, urlencode.",
        ),
        (
            "payload.a | uper",
            "refused at 12: There is no filter `uper`. Did you mean `upper`?",
        ),
        (
            "payload.list.0",
            "refused at 13: A name does not begin with a digit. Write [0] for a place in a list.",
        ),
        (
            "answer.status",
            "refused at 0: There is no answer here. Only [[emit]] and [message] of a rule with [http] can use `answer`.",
        ),
        (
            "env",
            "refused at 0: `env` is followed by the name of one variable. Such as env.FACTORY_API_URL.",
        ),
        (
            "env.NEXUS_SECRET",
            "refused at 0: The server's own settings are not shown to rules. Use a variable of another name.",
        ),
        (
            "env['NEXUS_SECRET']",
            "refused at 0: The server's own settings are not shown to rules. Use a variable of another name.",
        ),
        ("(1", "refused at 2: A `)` is missing here. "),
        ("payload.a.b(1)", "refused at 11: `(` has no place here. "),
        (
            "same_(1, 1)",
            "refused at 0: There is no function `same_`. Values are changed with filters, such as `payload.name | lower`.",
        ),
        (
            "v0",
            "refused at 0: `v0` is not known here. There are: event, payload, env, answer. A text stands in quotes.",
        ),
    ]);
}

#[test]
fn nothing_grows_without_bound() {
    let many = |part: &str, between: &str, times: usize| vec![part; times].join(between);
    for bomb in [
        "'x' * 1000000000".to_owned(),
        "payload.name | replace('K', 'KKKKKKKKKK')".to_owned() + &" | replace('K', 'KKKKKKKKKKKKKKKKKKKKKKKK')".repeat(30),
        many("payload", " ~ ", 60),
        many("1", " + ", 900),
        "(".repeat(900) + "1" + &")".repeat(900),
        "[".repeat(40) + &"]".repeat(40),
        "not ".repeat(400) + "1",
        "-".repeat(400) + "1",
        "payload".to_owned() + &"[0]".repeat(600),
        format!("'{}'", "x".repeat(3_000)),
        "170141183460469231731687303715884105727 * 2".to_owned(),
        "1e308 * 10".to_owned(),
        "170141183460469231731687303715884105727 + 1".to_owned(),
        "1 / 0".to_owned(),
        "1 % 0".to_owned(),
        "1 | fixed(1000000000)".to_owned(),
    ] {
        let said = value(&bomb);
        let is_refused = said.contains("refused") || said.contains("can't be computed") || said == "missing";
        assert!(is_refused && said.len() < 3_000, "{bomb}: {said}");
    }
}

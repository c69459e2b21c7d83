//! No rule and no event makes anything panic.

use proptest::prelude::*;

use super::*;

#[test]
fn no_rule_and_no_event_makes_anything_panic() {
    let piece = prop::sample::select(vec![
        "payload",
        ".a",
        ".b",
        "[0]",
        "['x y']",
        "event",
        ".id",
        "env",
        ".FACTORY_API_KEY",
        "answer",
        ".json",
        ".text",
        "{{",
        "}}",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        "|",
        "~",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "==",
        "<",
        ">=",
        " and ",
        " or ",
        " not ",
        " in ",
        " is ",
        " if ",
        " else ",
        "upper",
        "join",
        "('x')",
        "(2)",
        "fixed(2)",
        "first",
        "last",
        "length",
        "tojson",
        "urlencode",
        "round",
        "isotime",
        "int",
        "truncate(1)",
        "default(1)",
        "replace('a', 'bb')",
        "number",
        "defined",
        "'é'",
        "\"x\"",
        "'",
        "1",
        "0",
        "-1",
        "9223372036854775808",
        "1e308",
        "1.50",
        "none",
        "true",
        "\\u00e9",
        "\\",
        "\n",
        " ",
        "é",
        "{%",
        "nothing_",
        "v0",
        "exact_",
        "same_(1, 1)",
        "__class__",
    ]);
    let pieces = prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat());
    let text = prop_oneof![
        pieces,
        expression(),
        expression().prop_map(|inner| format!("a {{{{ {inner} }}}} b"))
    ];
    let payload = prop::sample::select(vec![
        "{}",
        r#"{"a":1}"#,
        r#"{"a":"\u0000\ud83d\ude00","b":[1,2.50,null]}"#,
        r#"{"a":{"b":{"x y":-0.0}}}"#,
        r#"{"a":[[],{}],"b":1e400}"#,
        r#"{"a":123456789012345678901234567890123456789012345678901234567890,"b":-170141183460469231731687303715884105728}"#,
        r#"{"a":true,"b":""}"#,
        "[1,2]",
        "3",
        "null",
    ]);
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(text in text, payload in payload, dress in 0..3)| {
        let quoted = match dress {
            0 => format!("\"\"\"\n{}\"\"\"", text.replace('"', "'")),
            1 => format!("'''{}'''", text.replace('\'', "\"")),
            _ => toml::Value::String(text.clone()).to_string(),
        };
        for source in sources(&quoted, &text) {
            match read(&source) {
                Ok(rule) => everything(&rule, &payment(payload)),
                Err(errors) => prop_assert!(errors.iter().all(|error| error.line <= source.lines().count() + 1 && error.column > 0)),
            }
        }
    });
}

/// An expression that can be read, more often than not.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "payload",
        "payload.a",
        "payload.b",
        "payload.a.b['x y']",
        "payload.b[0]",
        "event.id",
        "event.position",
        "env.FACTORY_API_KEY",
        "1",
        "0",
        "2.50",
        "'a'",
        "''",
        "true",
        "none",
        "9223372036854775807",
        "1e308",
        "170141183460469231731687303715884105727",
        "[]",
        "'é\\n'",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 2, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or", "if",
        ]);
        let change = prop::sample::select(vec![
            "| default(1)",
            "| lower",
            "| upper",
            "| trim",
            "| replace('a', 'bb')",
            "| truncate(1)",
            "| length",
            "| first",
            "| last",
            "| join(',')",
            "| string",
            "| int",
            "| float",
            "| abs",
            "| round",
            "| round(20)",
            "| fixed(3)",
            "| isotime",
            "| tojson",
            "| urlencode",
            "is defined",
            "is not number",
            "is startingwith('a')",
            "[0]",
            "[-1]",
            "['a']",
            ".a",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(one, operator, other)| format!("({one}) {operator} ({other})")),
            (inner.clone(), change).prop_map(|(value, change)| format!("({value}) {change}")),
            inner.clone().prop_map(|value| format!("-({value})")),
            inner.clone().prop_map(|value| format!("not ({value})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("[{one}, {other}]")),
            (inner.clone(), inner).prop_map(|(one, index)| format!("({one})[{index}]")),
        ]
    })
}

/// Rules with a text in every place.
fn sources(quoted: &str, text: &str) -> [String; 6] {
    [
        format!("on = ['*']\nwhen = {quoted}\n[message]\nchannel = '1'\ntext = 'x'"),
        format!("on = ['*']\nkey = {quoted}\norder = {quoted}\n[message]\nchannel = {quoted}\ntext = {quoted}"),
        format!(
            "on = ['*']\n[http]\nurl = 'https://a/{{{{ payload.a }}}}'\nbody = {quoted}\n[[emit]]\nwhen = {quoted}\nevent = 'START'\n\
             payload = {{ a = {quoted} }}"
        ),
        format!("on = ['*']\n[http]\nurl = {quoted}\n[http.headers]\nX = {quoted}\n[http.json]\na = [{quoted}]"),
        format!("on = ['*']\nkey = '{{{{ {text} }}}}'\n[http]\nurl = 'https://a/'\njson = {{ a = '{{{{ {text} }}}}' }}"),
        text.to_owned(),
    ]
}

/// Does all that can be done with a rule.
fn everything(rule: &Rule, event: &HubEvent) {
    let facts = Facts::new(event);
    drop(rule.wants(&facts));
    drop(rule.call(&facts, "key"));
    for body in ["", "{\"a\":[{\"b\":1.50}]}", "[1", "\u{0}"] {
        drop(rule.effects(&facts, Some(&answer(200, body))));
    }
    drop(rule.effects(&facts, None));
    drop(dry_run(rule, std::slice::from_ref(event)));
}

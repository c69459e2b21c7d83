//! What a rule makes of an event: its key, its request, and what follows.

use super::*;

#[test]
fn when_key_and_order_say_whether_and_as_what_a_rule_runs() {
    let rule = |rest: &str| rule(&format!("on = [\"FLOWPAY:*\"]\n{rest}\n[message]\nchannel = \"1\"\ntext = \"x\""));
    let wants = |rest: &str| {
        let event = payment(r#"{"amount":15.00,"orderId":7730,"payerId":"p","empty":"","lines":"a\nb"}"#);
        rule(rest).wants(&Facts::new(&event)).map_err(|error| error.to_string())
    };
    let wanted = |key: &str, order: Option<&str>| {
        Ok(Some(Wanted {
            key: key.into(),
            order_key: order.map(str::to_owned),
        }))
    };
    for (rest, says) in [
        ("", wanted("7000000000000000001", None)),
        ("when = \"payload.amount > 15\"", Ok(None)),
        ("when = \"payload.nope\"", Ok(None)),
        (
            "when = \"payload.amount >= 15\"\nkey = \"{{ payload.nope or payload.orderId }}\"",
            wanted("7730", None),
        ),
        (
            "order = \"{{ payload.payerId }}-{{ payload.amount }}\"",
            wanted("7000000000000000001", Some("p-15.00")),
        ),
        (
            "order = \"{{ payload.nope if payload.nope }}\"",
            wanted("7000000000000000001", None),
        ),
        (
            "when = \"payload.payerId > 3\"",
            Err("when (line 2): `payload.payerId > 3` can't be computed: `>` can't compare a text with a number.".into()),
        ),
        (
            "key = \"{{ payload.nope }}\"",
            Err("key (line 2): `payload.nope` is missing.".into()),
        ),
        ("key = \"{{ payload.empty }}\"", Err("key (line 2): The key is empty.".into())),
        (
            "key = \"{{ payload.lines }}\"",
            Err("key (line 2): A key has at most 512 bytes on one line.".into()),
        ),
    ] {
        assert_eq!(wants(rest), says, "{rest}");
    }
    let other = event("NEXUS:START", "{}");
    assert_eq!(rule("").wants(&Facts::new(&other)), Ok(None));
}

#[test]
fn a_request_is_built_of_values() {
    let rule = http(
        "url = \"{{ env.FACTORY_API_URL }}/orders/{{ payload.id }}?q={{ payload.q | urlencode }}\"\nmethod = \"PUT\"\ntimeout_ms = 500\n\
         [http.headers]\nX-Name = \"{{ payload.id }}\"\n\
         [http.json]\namount = \"{{ payload.amount }}\"\nid = \"{{ payload.id }}\"\nboth = \"{{ payload.amount }} {{ payload.id }}\"\n\
         left_out = \"{{ payload.nope if payload.nope }}\"\nlist = [1, 2.50, true, \"{{ payload.list }}\", \"{{ 1 if false }}\"]\n\
         at = 2026-11-20T10:00:00Z\nhex = 0xff\nbig = 123456789012345678901234567890\ndeep = { \"a\\\"b\" = \"\" }",
    );
    let payload = r#"{"id":"a/b\" c","q":"x&y","amount":15.00,"list":[1.0, {"k":null}]}"#;
    let call = call(&rule, payload).expect("a call");
    assert_eq!(call.url, "http://factory.internal:9000/orders/a%2Fb%22%20c?q=x%26y");
    assert_eq!((call.method.as_str(), call.timeout_ms), ("PUT", 500));
    assert_eq!(
        String::from_utf8(call.body).expect("UTF-8"),
        r#"{"amount":15.00,"id":"a/b\" c","both":"15.00 a/b\" c","list":[1,2.50,true,[1.0, {"k":null}]],"at":"2026-11-20T10:00:00Z","hex":255,"big":123456789012345678901234567890,"deep":{"a\"b":""}}"#
    );
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers[..2], [("X-Name", "a/b\" c"), ("Content-Type", "application/json")]);
    assert_eq!(headers[2], ("Idempotency-Key", &*idempotency_key("test", "key")));
}

#[test]
fn an_event_can_not_lead_a_request_elsewhere_or_add_a_header() {
    for (section, payload, wanted) in [
        (
            "url = \"https://a/{{ payload.x }}/b\"",
            r#"{"x":".."}"#,
            "The url has a part that is `.` or `..`",
        ),
        ("url = \"{{ env.SLASH_URL }}/b\"", "{}", "https://a/b"),
        ("url = \"{{ env.SLASH_URL }}\"", "{}", "https://a/"),
        (
            "url = \"https://a/{{ payload.x }}\"",
            r#"{"x":"../../admin?x#y"}"#,
            "https://a/..%2F..%2Fadmin%3Fx%23y",
        ),
        ("url = \"https://a/{{ payload.x }}\"", r#"{"x":"%2e%2e"}"#, "https://a/%252e%252e"),
        (
            "url = \"https://a/{{ payload.x }}\"",
            r#"{"x":"@evil.example/"}"#,
            "https://a/%40evil.example%2F",
        ),
        (
            "url = \"https://a/?{{ payload.x }}\"",
            &format!("{{\"x\":\"{}\"}}", "x".repeat(3_000)),
            "The url is too long.",
        ),
        (
            "url = \"https://a/\"\nheaders = { X = \"{{ payload.x }}\" }",
            r#"{"x":"a\r\nEvil: 1"}"#,
            "only those of ASCII",
        ),
        (
            "url = \"https://a/\"\nheaders = { X = \"{{ payload.x }}\" }",
            r#"{"x":"é"}"#,
            "only those of ASCII",
        ),
        (
            "url = \"https://a/{{ payload.x }}\"",
            "{}",
            "http.url (line 3): `payload.x` is missing.",
        ),
        ("url = \"https://a/{{ payload.x }}\"", r#"{"x":null}"#, "`payload.x` is null."),
        (
            "url = \"https://a/\"\njson = \"{{ payload.x if payload.x }}\"",
            "{}",
            "There is nothing in it.",
        ),
        (
            "url = \"https://a/\"\njson = { a = { b = \"{{ payload.x }}\" } }",
            "{}",
            "http.json.a.b (line 4): `payload.x` is missing.",
        ),
        (
            "url = \"https://a/\"\nbody = \"{{ payload.x | tojson }}\"",
            r#"{"x":"\"é"}"#,
            "https://a/",
        ),
    ] {
        let said = call(&http(section), payload).map_or_else(|error| error, |call| call.url);
        assert!(said.contains(wanted), "{section} {payload}: {said}");
    }
}

#[test]
fn the_rule_may_name_its_own_key_and_type() {
    let rule = http("url = \"https://a/\"\nbody = \"<a/>\"\n[http.headers]\nidempotency-key = \"mine\"\ncontent-type = \"text/xml\"");
    let call = call(&rule, "{}").expect("a call");
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(headers, ["content-type: text/xml", "idempotency-key: mine"]);
}

#[test]
fn an_idempotency_key_is_stable_short_and_printable() {
    let key = idempotency_key("payment-to-mint", "7730");
    assert_eq!(key, idempotency_key("payment-to-mint", "7730"));
    assert_eq!(key, "nexus-DRyxIyHyQsPGijSJUct8XokfV2d-UASJHZIsi8Qoqaw");
    assert!(key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_ne!(idempotency_key("a", "bc"), idempotency_key("ab", "c"));
    assert!(idempotency_key("a", &"x".repeat(9_999)).len() <= 64);
}

#[test]
fn texts_and_messages_are_bounded() {
    let big = format!("{{\"x\":\"{}\"}}", "é".repeat(30_000));
    let message = |text: &str| rule(&format!("on = [\"FLOWPAY:*\"]\n[message]\nchannel = \"1\"\ntext = \"{text}\""));
    for (text, wanted) in [
        ("{{ payload.x }}", "message.text (line 4): A message has 1 to 4000 characters"),
        ("{{ payload.x | truncate(4001) }}", "A message has 1 to 4000"),
        (" \\n ", "A message has 1 to 4000"),
        (&"{{ payload.x }}".repeat(10), "The text is longer than 262144 bytes."),
        ("{{ payload.x * 1000000000 }}", "`*` can't be used on a text"),
    ] {
        let said = effects(&message(text), &payment(&big), None).expect_err(text);
        assert!(said.contains(wanted), "{text}: {said}");
    }
    let kept = effects(&message("{{ payload.x | truncate(4000) }}"), &payment(&big), None).expect("a message");
    assert!(matches!(&kept[..], [Effect::Message { text, .. }] if text.chars().count() == 4_000));
    let json = http(&format!("url = \"https://a/\"\njson = [{}]", "\"{{ payload }}\",".repeat(10)));
    let said = call(&json, &big).map(|_| ()).expect_err("too long");
    assert!(said.contains("longer than 262144 bytes"), "{said}");
}

#[test]
fn a_mention_that_comes_with_an_event_stays_text() {
    let rule = rule("on = [\"FLOWPAY:*\"]\n[message]\nchannel = \"1\"\ntext = \"Paid by {{ payload.x }}\"");
    let effects = effects(&rule, &payment(r#"{"x":"@everyone <@1> <@&2>"}"#), None).expect("a message");
    assert_eq!(
        effects,
        [Effect::Message {
            channel: ChannelId(1),
            text: "Paid by @everyone <@1> <@&2>".into()
        }]
    );
}

#[test]
fn what_follows_may_depend_on_the_answer() {
    let rule = rule(
        "on = [\"FLOWPAY:*\"]\n[http]\nurl = \"https://a/\"\n\
         [[emit]]\nwhen = \"answer.json.ok\"\nevent = \"MINT_CONFIRMED\"\n[emit.payload]\naddress = \"a\"\namount = \"{{ answer.json.n }}\"\nreason = \"reward\"\n\
         [message]\nwhen = \"answer.status == 202\"\nchannel = \"{{ answer.json.channel }}\"\ntext = \"{{ answer.text }}\"",
    );
    let event = payment("{}");
    for (status, body, wanted) in [
        (200, r#"{"ok":false}"#, Ok(vec![])),
        (200, "no JSON", Ok(vec![])),
        (
            200,
            r#"{"ok":true,"n":1.50}"#,
            Ok(vec![Effect::Emit {
                kind: EventType::parse("FACTORY:MINT_CONFIRMED").expect("a type"),
                payload: r#"{"address":"a","amount":1.50,"reason":"reward"}"#.into(),
            }]),
        ),
        (
            200,
            r#"{"ok":true,"n":"x"}"#,
            Err("emit.payload (line 7): The payload does not fit the schema of FACTORY:MINT_CONFIRMED: payload.amount".to_owned()),
        ),
        (
            200,
            r#"{"ok":true}"#,
            Err("emit.payload.amount (line 9): `answer.json.n` is missing.".to_owned()),
        ),
        (
            202,
            r#"{"channel":"x"}"#,
            Err("message.channel (line 13): This is not the number of a channel.".to_owned()),
        ),
    ] {
        let said = effects(&rule, &event, Some(&answer(status, body)));
        match (&said, &wanted) {
            (Err(said), Err(wanted)) => assert!(said.starts_with(wanted), "{said}"),
            _ => assert_eq!(said, wanted, "{body}"),
        }
    }
}

#[test]
fn a_long_answer_can_be_shortened() {
    let rule = rule(
        "on = [\"FLOWPAY:*\"]\n[http]\nurl = \"https://a/\"\n[message]\nchannel = \"1\"\n\
         text = \"{{ answer.text | truncate(3) }} {{ answer.json[0] | truncate(2) }}\"",
    );
    let long = answer(200, &format!("[\"{}\"]", "x".repeat(1_000_000)));
    let effects = effects(&rule, &payment("{}"), Some(&long)).expect("a message");
    let [Effect::Message { text, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(text, "[\"… x…");
}

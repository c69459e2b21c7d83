//! What a page says that a program prints, compared with what it printed.
//!
//! Both are JSON values, one after the other. Members and items are exactly those of the page. A number stands for any number, and `…` in
//! a string for any text; everything else stands for itself.

use serde_json::{Deserializer, Value};

/// What differs first, if anything does.
pub(super) fn fault(shown: &str, printed: &str) -> Option<String> {
    let read = |text: &str| Deserializer::from_str(text).into_iter::<Value>().collect::<Result<Vec<_>, _>>();
    match (read(shown), read(printed)) {
        (Err(cause), _) => Some(format!("what the page shows is no JSON: {cause}")),
        (_, Err(cause)) => Some(format!("what was printed is no JSON: {cause}")),
        (Ok(shown), Ok(printed)) => differs("answer", &Value::Array(shown), &Value::Array(printed)),
    }
}

fn differs(at: &str, shown: &Value, printed: &Value) -> Option<String> {
    match (shown, printed) {
        (Value::Object(shown), Value::Object(printed)) => {
            let unknown = printed.keys().find(|name| !shown.contains_key(*name));
            if let Some(name) = unknown {
                return Some(format!("{at}.{name} is not on the page"));
            }
            shown.iter().find_map(|(name, shown)| match printed.get(name) {
                Some(printed) => differs(&format!("{at}.{name}"), shown, printed),
                None => Some(format!("{at}.{name} is not there")),
            })
        }
        (Value::Array(shown), Value::Array(printed)) if shown.len() == printed.len() => {
            let pairs = shown.iter().zip(printed).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (shown, printed))| differs(&format!("{at}[{index}]"), shown, printed))
        }
        (Value::Number(_), Value::Number(_)) => None,
        (Value::String(shown), Value::String(printed)) if is_like(shown, printed) => None,
        (shown, printed) if shown == printed => None,
        (shown, printed) => Some(format!("{at} is {printed}, and {shown} on the page")),
    }
}

/// Does the text fit, where `…` stands for anything?
fn is_like(shown: &str, printed: &str) -> bool {
    let Some((first, rest)) = shown.split_once('…') else {
        return shown == printed;
    };
    let Some(mut left) = printed.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('…').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    true
}

#[test]
fn an_answer_is_held_against_the_page() {
    let shown = r#"{"id": "…", "list": [{"at": 1}], "text": "a…b…c", "none": null}"#;
    let good = r#"{"id": "7", "list": [{"at": 9.5}], "text": "a, b, c", "none": null}"#;
    assert_eq!(fault(shown, good), None);
    for (printed, wanted) in [
        (good.replace("null", "null, \"more\": 1"), "answer[0].more is not on the page"),
        (good.replace(", \"none\": null", ""), "answer[0].none is not there"),
        (good.replace("9.5", "\"9\""), "answer[0].list[0].at is \"9\", and 1 on the page"),
        (good.replace("a, b", "b"), "answer[0].text is \"b, c\", and \"a…b…c\" on the page"),
        (
            good.replace("[{\"at\": 9.5}]", "[]"),
            "answer[0].list is [], and [{\"at\":1}] on the page",
        ),
        (format!("{good} {good}"), "answer is "),
        ("oops".to_owned(), "what was printed is no JSON"),
    ] {
        let said = fault(shown, &printed).expect("it differs");
        assert!(said.starts_with(wanted), "{said}");
    }
}

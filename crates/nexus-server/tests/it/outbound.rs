//! The one way out, against servers that mean no good.

pub(crate) mod hosts;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use nexus_core::outbound::{Answer, Call, CallError, Method, Outbound};
use nexus_server::outbound::{Exceptions, Lookup, OutboundSettings, OwnAddresses, outbound_over};
use nexus_types::limits::{OUTBOUND_ANSWER_BYTES_MAX, OUTBOUND_LOOKUPS_UNPROVEN};

use hosts::Host;

/// Longer than anything here takes, and shorter than anybody waits.
const LONG_MS: u32 = 20_000;
const SHORT_MS: u32 = 300;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Every name leads to this machine.
fn here() -> Lookup {
    Arc::new(|_| async { Ok(vec![LOOPBACK]) }.boxed())
}

fn way_over(listed: &[String], lookup: Lookup) -> Outbound {
    let settings = OutboundSettings {
        private: Exceptions::parse(listed).expect("good ones"),
        ..OutboundSettings::default()
    };
    outbound_over(&settings, lookup).expect("it opens")
}

/// A way out that may ask these hosts.
fn way(hosts: &[&Host]) -> Outbound {
    let listed: Vec<_> = hosts.iter().map(|host| format!("127.0.0.1:{}", host.port)).collect();
    way_over(&listed, here())
}

fn get(url: impl Into<String>, timeout_ms: u32) -> Call {
    Call {
        method: Method::Get,
        url: url.into(),
        headers: vec![],
        body: vec![],
        timeout_ms,
    }
}

async fn ask(way: &Outbound, host: &Host, timeout_ms: u32) -> Result<Answer, CallError> {
    way.send(get(format!("http://127.0.0.1:{}/secret?key=hunter2", host.port), timeout_ms))
        .await
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_sent() {
    let host =
        Host::saying("HTTP/1.1 503 Later\r\nRetry-After: 3\r\nSet-Cookie: a=b\r\nX-A: \u{e9}\r\nContent-Length: 4\r\n\r\nlate").await;
    let way = way(&[&host]);
    let call = Call {
        method: Method::Post,
        headers: vec![("Authorization".into(), "Bearer a".into())],
        body: b"{}".to_vec(),
        ..get(format!("http://127.0.0.1:{}/mint?a=b", host.port), LONG_MS)
    };
    let answer = way.send(call).await.expect("an answer");
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.header("retry-after")),
        (503, b"late".as_slice(), Some("3"))
    );
    ask(&way, &host, LONG_MS).await.expect("an answer");
    let heard = host.heard();
    let first = heard[0].to_ascii_lowercase();
    for line in [
        "post /mint?a=b http/1.1\r\n",
        "\r\nauthorization: bearer a\r\n",
        "\r\naccept-encoding: identity\r\n",
        "\r\ncontent-length: 2\r\n",
    ] {
        assert!(first.contains(line), "{line} in {first}");
    }
    assert!(heard[0].contains(concat!("Nexus/", env!("CARGO_PKG_VERSION"))), "{first}");
    // No cookies are kept.
    assert!(heard[1].starts_with("GET /secret?key=hunter2 ") && !heard[1].to_ascii_lowercase().contains("cookie"));
}

#[tokio::test]
async fn a_redirect_is_reported_and_its_address_is_not_asked() {
    let private = Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://127.0.0.1:{}/latest/meta-data", private.port);
        let host = Host::saying(format!(
            "HTTP/1.1 {status} Gone\r\nLocation: {to}?key=hunter2\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        let refused = ask(&way(&[&host, &private]), &host, LONG_MS).await;
        assert_eq!(refused, Err(CallError::Redirect { status, to }));
    }
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_with_its_connection() {
    for head in ["", "Transfer-Encoding: chunked\r\n"] {
        let host = Host::endless(format!("HTTP/1.1 200 OK\r\n{head}\r\n")).await;
        let cut = ask(&way(&[&host]), &host, LONG_MS).await;
        assert!(matches!(cut, Err(CallError::AnswerTooLarge { .. })), "{cut:?}");
        host.hung_up().await;
    }
}

#[tokio::test]
async fn an_answer_of_exactly_the_limit_is_read_and_a_longer_one_is_not_awaited() {
    let answer = |bytes: usize, sent: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", "a".repeat(sent));
    let host = Host::saying(answer(OUTBOUND_ANSWER_BYTES_MAX, OUTBOUND_ANSWER_BYTES_MAX)).await;
    let read = ask(&way(&[&host]), &host, LONG_MS).await.expect("an answer");
    assert_eq!(read.body.len(), OUTBOUND_ANSWER_BYTES_MAX);
    // The end of the connection is the end of the answer, as HTTP/1.0 has it.
    for (bytes, fits) in [(OUTBOUND_ANSWER_BYTES_MAX, true), (OUTBOUND_ANSWER_BYTES_MAX + 1, false)] {
        let host = Host::leaving(format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(bytes))).await;
        assert_eq!(ask(&way(&[&host]), &host, LONG_MS).await.is_ok(), fits, "{bytes}");
    }
    // It says how much it has, and sends nothing of it.
    let host = Host::saying(answer(OUTBOUND_ANSWER_BYTES_MAX + 1, 0)).await;
    let cut = ask(&way(&[&host]), &host, LONG_MS).await;
    assert!(matches!(cut, Err(CallError::AnswerTooLarge { .. })), "{cut:?}");
}

#[tokio::test]
async fn a_packed_answer_is_not_unpacked() {
    let mut packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n".to_vec();
    // The gzip file of nothing at all.
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    packed.extend(gzip);
    let host = Host::saying(packed).await;
    let answer = ask(&way(&[&host]), &host, LONG_MS).await.expect("an answer");
    assert_eq!(
        (answer.body.as_slice(), answer.header("content-encoding")),
        (gzip.as_slice(), Some("gzip"))
    );
}

#[tokio::test]
async fn a_host_that_takes_too_long_is_left_at_the_deadline() {
    let silent = Host::silent().await;
    let dripping = Host::dripping("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
    let dripping_head = Host::dripping("HTTP/1.1 200 OK\r\nX-A: ").await;
    let way = way(&[&silent, &dripping, &dripping_head]);
    for host in [&silent, &dripping, &dripping_head] {
        let began = Instant::now();
        let late = ask(&way, host, SHORT_MS).await;
        assert_eq!(late, Err(CallError::Timeout { timeout_ms: SHORT_MS }));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        host.hung_up().await;
    }
}

#[tokio::test]
async fn a_broken_answer_is_an_error_that_repeats_no_secret() {
    let long = "a".repeat(20_000);
    let many = "X: y\r\n".repeat(150);
    for (answer, word) in [
        (String::new(), "connection"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_owned(), ""),
        ("SSH-2.0-OpenSSH_10.0\r\n\r\n".to_owned(), ""),
        (format!("HTTP/1.1 200 OK\r\nX-A: {long}\r\nContent-Length: 0\r\n\r\n"), "headers"),
        (format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n"), ""),
    ] {
        let host = Host::leaving(answer.clone()).await;
        let broken = ask(&way(&[&host]), &host, LONG_MS).await.expect_err("it is broken");
        let said = broken.to_string();
        assert!(matches!(broken, CallError::Broken(_)) && said.contains(word), "{answer}: {said}");
        assert!(!said.contains("hunter2") && !said.contains("secret"), "{said}");
    }
}

#[tokio::test]
async fn headers_that_never_end_are_cut_off() {
    let host = Host::endless("HTTP/1.1 200 OK\r\nX-A: ").await;
    let broken = ask(&way(&[&host]), &host, LONG_MS).await;
    assert!(matches!(broken, Err(CallError::Broken(_))), "{broken:?}");
    host.hung_up().await;
}

#[tokio::test]
async fn where_nobody_listens_or_speaks_tls_there_is_no_connection() {
    let host = Host::saying("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n").await;
    let free = hosts::free_port().await;
    let listed = ["127.0.0.1".to_owned()];
    let way = way_over(&listed, here());
    for url in [
        format!("https://127.0.0.1:{}/secret?hunter2", host.port),
        format!("http://127.0.0.1:{free}/secret?hunter2"),
    ] {
        let none = way.send(get(&url, LONG_MS)).await.expect_err("no connection");
        let said = none.to_string();
        assert!(
            matches!(none, CallError::Connect(_)) && said.contains("127.0.0.1:"),
            "{url}: {said}"
        );
        assert!(!said.contains("hunter2") && !said.contains("secret"), "{said}");
    }
}

#[tokio::test]
async fn a_private_address_is_not_connected_to_under_any_name() {
    let host = Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let strict = way_over(&[], here());
    for spelling in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "0",
        "localhost",
        "a.internal",
        "example.org",
    ] {
        let url = format!("http://{spelling}:{}/", host.port);
        let blocked = strict.send(get(&url, LONG_MS)).await;
        assert!(matches!(blocked, Err(CallError::Blocked(_))), "{url}: {blocked:?}");
        // Only a name tells nothing before it is looked up.
        assert_eq!(strict.check(&url).is_ok(), spelling == "example.org", "{url}");
    }
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_next_time_is_judged_again() {
    // One loopback address is listed, in the place of a public one; the other is private.
    let public = Host::saying("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    let private = Host::at(IpAddr::V6(Ipv6Addr::LOCALHOST), public.port).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let first = counter.fetch_add(1, Ordering::Relaxed) == 0;
        let address = if first { LOOPBACK } else { Ipv6Addr::LOCALHOST.into() };
        async move { Ok(vec![address]) }.boxed()
    });
    let way = way_over(&["127.0.0.1".to_owned()], lookup);
    let url = format!("http://rebinding.example:{}/", public.port);
    assert_eq!(way.send(get(&url, LONG_MS)).await.map(|answer| answer.status), Ok(200));
    assert_eq!((public.connections(), asked.load(Ordering::Relaxed)), (1, 1));
    let blocked = way.send(get(&url, LONG_MS)).await;
    assert!(
        matches!(&blocked, Err(CallError::Blocked(what)) if what.contains("::1")),
        "{blocked:?}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(private.map_or(0, |host| host.connections()), 0);
}

#[tokio::test]
async fn of_a_mixed_answer_only_what_may_be_asked_is_connected_to() {
    let host = Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let private = Host::at(IpAddr::V6(Ipv6Addr::LOCALHOST), host.port).await;
    let lookup: Lookup = Arc::new(|_| async { Ok(vec![Ipv6Addr::LOCALHOST.into(), LOOPBACK]) }.boxed());
    let way = way_over(&["127.0.0.1".to_owned()], lookup);
    let url = format!("http://mixed.example:{}/", host.port);
    assert_eq!(way.send(get(&url, LONG_MS)).await.map(|answer| answer.status), Ok(200));
    assert_eq!(private.map_or(0, |host| host.connections()), 0);
}

#[tokio::test]
async fn a_name_server_that_is_slow_or_knows_nothing_holds_its_own_call_alone() {
    let host = Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let lookup: Lookup = Arc::new(|name| {
        async move {
            match name.as_str() {
                "slow.example" => std::future::pending().await,
                "unknown.example" => Err(std::io::Error::other("no such name")),
                _ => Ok(vec![LOOPBACK]),
            }
        }
        .boxed()
    });
    let way = way_over(&["127.0.0.1".to_owned()], lookup);
    let url = |name: &str| format!("http://{name}:{}/", host.port);
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let (way, url) = (way.clone(), url("slow.example"));
            tokio::spawn(async move { way.send(get(url, SHORT_MS)).await })
        })
        .collect();
    assert_eq!(
        way.send(get(url("fast.example"), LONG_MS)).await.map(|answer| answer.status),
        Ok(200)
    );
    for call in slow {
        assert_eq!(call.await.expect("it ends"), Err(CallError::Timeout { timeout_ms: SHORT_MS }));
    }
    let unknown = way.send(get(url("unknown.example"), LONG_MS)).await;
    assert_eq!(unknown, Err(CallError::NoHost("unknown.example".into())));
}

#[tokio::test]
async fn names_that_nobody_answers_leave_room_for_those_that_are_answered() {
    let host = Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    let lookup: Lookup = Arc::new(|name| {
        async move {
            if name.starts_with("slow") {
                std::future::pending::<()>().await;
            }
            Ok(vec![LOOPBACK])
        }
        .boxed()
    });
    let way = way_over(&["127.0.0.1".to_owned()], lookup);
    let url = |name: &str| format!("http://{name}:{}/", host.port);
    assert!(way.send(get(url("shop.example"), LONG_MS)).await.is_ok());
    let mut outcomes = vec![];
    for number in 0..100 {
        outcomes.push(way.send(get(url(&format!("slow.evil{number}.example")), 20)).await);
    }
    let held = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(CallError::Timeout { .. })))
        .count();
    assert_eq!(held, OUTBOUND_LOOKUPS_UNPROVEN);
    assert!(
        outcomes[held..].iter().all(|outcome| *outcome == Err(CallError::Busy)),
        "{outcomes:?}"
    );
    assert_eq!(way.send(get(url("new.example"), LONG_MS)).await, Err(CallError::Busy));
    assert!(way.send(get(url("shop.example"), LONG_MS)).await.is_ok(), "it was found before");
}

#[tokio::test]
async fn a_slow_host_does_not_hold_up_another() {
    let (silent, quick) = (
        Host::silent().await,
        Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await,
    );
    let way = way(&[&silent, &quick]);
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let (way, url) = (way.clone(), format!("http://127.0.0.1:{}/", silent.port));
            tokio::spawn(async move { way.send(get(url, LONG_MS)).await })
        })
        .collect();
    while silent.connections() < 100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..20 {
        assert_eq!(ask(&way, &quick, LONG_MS).await.map(|answer| answer.status), Ok(200));
    }
    assert!(slow.iter().all(|call| !call.is_finished()));
    for call in slow {
        call.abort();
    }
    silent.hung_up().await;
}

#[tokio::test]
async fn the_environments_url_is_listed_with_its_port_and_this_server_never_is() {
    let (factory, neighbour) = (
        Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await,
        Host::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await,
    );
    let own = OwnAddresses::new(&["127.0.0.1:0".parse().expect("an address")], Some("https://chat.example.org"));
    let settings = OutboundSettings {
        private: Exceptions::parse(&["127.0.0.0/8".to_owned(), "localhost".to_owned()]).expect("good ones"),
        listed_origins: vec![format!("http://factory.internal:{}/api", factory.port)],
        own: own.clone(),
    };
    let strict = outbound_over(
        &OutboundSettings {
            private: Exceptions::default(),
            ..settings.clone()
        },
        here(),
    )
    .expect("it opens");
    let status = |name: &'static str, port: u16, way: &Outbound| {
        let way = way.clone();
        async move {
            way.send(get(format!("http://{name}:{port}/"), LONG_MS))
                .await
                .map(|answer| answer.status)
        }
    };
    assert_eq!(status("factory.internal", factory.port, &strict).await, Ok(200));
    assert!(matches!(
        status("factory.internal", neighbour.port, &strict).await,
        Err(CallError::Blocked(_))
    ));
    assert!(matches!(
        status("evil.example", factory.port, &strict).await,
        Err(CallError::Blocked(_))
    ));

    let lenient = outbound_over(&settings, here()).expect("it opens");
    assert_eq!(status("localhost", neighbour.port, &lenient).await, Ok(200));
    // From here on the neighbour is this server.
    own.set_bound(&[([127, 0, 0, 1], neighbour.port).into()]);
    let before = neighbour.connections();
    for name in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "evil.example"] {
        assert!(
            matches!(status(name, neighbour.port, &lenient).await, Err(CallError::Blocked(_))),
            "{name}"
        );
    }
    assert!(matches!(
        status("chat.example.org", 443, &lenient).await,
        Err(CallError::Blocked(_))
    ));
    assert_eq!(neighbour.connections(), before);
    assert_eq!(status("localhost", factory.port, &lenient).await, Ok(200));

    let wrong = OutboundSettings {
        listed_origins: vec!["factory:9000".into()],
        ..OutboundSettings::default()
    };
    let said = outbound_over(&wrong, here()).expect_err("no URL").to_string();
    assert!(said.contains("FACTORY_API_URL"), "{said}");
}

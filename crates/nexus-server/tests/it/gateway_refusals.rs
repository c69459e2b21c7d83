//! What a gateway client must not do, and what it is told when it does it. The numbers are those of the list of bad inputs.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nexus_core::bots;
use nexus_testkit::sessions::PATIENCE;
use nexus_testkit::wires::frame;
use nexus_testkit::{Heard, Server, Session, Stage, Wire, World};
use nexus_types::limits::{COMMANDS_MAX, IDENTIFY_MS_MAX, SOCKETS_PER_LOGIN_MAX};
use nexus_types::logins::SignIn;
use serde_json::json;
use tungstenite::Message;

/// What must have happened after a logout, a removal, or a change of rights.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn stage() -> (Stage, Server) {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    (stage, server)
}

/// Waits for the end, and says its code.
async fn close_code(session: &mut Session) -> Option<u16> {
    loop {
        match session.hear(PATIENCE).await {
            Heard::Closed(code) => return code,
            Heard::Silence => panic!("the server says nothing"),
            _ => {}
        }
    }
}

/// 29
#[tokio::test]
async fn a_foreign_page_is_refused_at_the_upgrade() {
    let (_, server) = stage().await;
    let own = format!("http://{}", server.address);
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        (&own, 101),
    ] {
        let (_, answered) = Wire::open(server.address, &[("origin", origin)]).await;
        assert_eq!(answered, status, "{origin}");
    }
    let (_, answered) = Wire::open(server.address, &[]).await;
    assert_eq!(answered, 101, "a program has no origin");
}

/// 30
#[tokio::test]
async fn who_does_not_identify_is_closed() {
    let (_, server) = stage().await;
    let mut wire = Wire::upgraded(server.address).await;
    let began = Instant::now();
    assert_eq!(wire.close_code().await, 4003);
    let waited = began.elapsed().as_millis() as i64;
    assert!(
        (IDENTIFY_MS_MAX - 500..IDENTIFY_MS_MAX + 3_000).contains(&waited),
        "after {waited} ms"
    );
}

/// 31
#[tokio::test]
async fn a_bad_token_is_closed() {
    let (stage, server) = stage().await;
    let good = &stage.people["member"].token;
    let (head, _) = good.rsplit_once('.').expect("a token has three parts");
    let app = &stage.world.app;
    let bot = bots::create(&app.db, &app.clock, "relay", Some(stage.guild)).await.expect("a bot");
    app.bots()
        .authenticate(&bot.token)
        .await
        .expect("it is good over REST, and remembered");
    for token in [
        "",
        "x",
        &format!("{head}.AAAA"),
        &format!("Bearer {good}"),
        &bot.token,
        &format!("Bot {}", bot.token),
    ] {
        let mut session = Session::new(server.address, token);
        session.connect().await.expect("it connects");
        session.identify().await;
        assert_eq!(close_code(&mut session).await, Some(4004), "{token}");
        session.connect().await.expect("it connects");
        session.resume().await;
        let code = close_code(&mut session).await;
        assert!(matches!(code, Some(4002 | 4004)), "RESUME with {token}: {code:?}");
    }
}

/// 32
#[tokio::test]
async fn a_second_identify_or_resume_is_closed() {
    let (stage, server) = stage().await;
    let member = &stage.people["member"];
    let mut session = server.session(member).await;
    session.identify().await;
    assert_eq!(close_code(&mut session).await, Some(4005));
    session.recover().await;
    assert_eq!(
        (session.identified, session.resumed),
        (1, 1),
        "what was refused did the session no harm"
    );
    session.resume().await;
    assert_eq!(close_code(&mut session).await, Some(4005));
}

/// 33, 34
#[tokio::test]
async fn what_is_not_the_websocket_protocol_is_closed() {
    let (_, server) = stage().await;
    let heartbeat = br#"{"op":1,"d":null}"#;
    for (what, bytes, code) in [
        ("bad UTF-8", frame(0x81, true, b"\"\xff\xfe\""), 1007),
        ("unmasked", frame(0x81, false, heartbeat), 1002),
        ("RSV1", frame(0xc1, true, heartbeat), 1002),
        ("RSV3", frame(0x91, true, heartbeat), 1002),
        ("a reserved opcode", frame(0x83, true, heartbeat), 1002),
        ("a fragmented ping", frame(0x09, true, b"x"), 1002),
        ("a ping of 126 bytes", frame(0x89, true, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, true, b"x"), 1002),
    ] {
        let mut wire = Wire::upgraded(server.address).await;
        wire.send(&bytes).await;
        assert_eq!(wire.close_code().await, code, "{what}");
    }
}

/// 35, 37
#[tokio::test]
async fn what_is_no_payload_is_closed() {
    let (_, server) = stage().await;
    let long = |bytes: usize| format!(r#"{{"op":1,"d":"{}"}}"#, "x".repeat(bytes));
    let deep = format!(r#"{{"op":1,"d":{}}}"#, "[".repeat(2_000));
    for (what, text, code) in [
        ("4,097 bytes", long(4_097), 4002),
        ("16 KiB and one", long(16 * 1024), 1009),
        ("half a megabyte", long(512 * 1024), 1009),
        ("no JSON", "hello".into(), 4002),
        ("an empty message", String::new(), 4002),
        ("deep JSON", deep, 4002),
        ("a list", "[]".into(), 4002),
        ("no opcode", r#"{"d":1}"#.into(), 4002),
        ("an unknown opcode", r#"{"op":77,"d":{}}"#.into(), 4002),
        ("a negative opcode", r#"{"op":-1,"d":{}}"#.into(), 4002),
        ("IDENTIFY with a number", r#"{"op":2,"d":5}"#.into(), 4002),
        ("RESUME without seq", r#"{"op":6,"d":{"token":"t","session_id":"s"}}"#.into(), 4002),
        (
            "a seq beyond 64 bits",
            r#"{"op":6,"d":{"token":"t","session_id":"s","seq":99999999999999999999}}"#.into(),
            4002,
        ),
        ("presence before IDENTIFY", r#"{"op":3,"d":{}}"#.into(), 4003),
        (
            "shards that make no sense",
            r#"{"op":2,"d":{"token":"t","shard":[3,2]}}"#.into(),
            4010,
        ),
    ] {
        let mut wire = Wire::upgraded(server.address).await;
        wire.send(&frame(0x81, true, text.as_bytes())).await;
        assert_eq!(wire.close_code().await, code, "{what}");
    }
}

/// 38
#[tokio::test]
async fn too_many_commands_are_closed() {
    let (stage, server) = stage().await;
    let mut session = server.session(&stage.people["member"]).await;
    // IDENTIFY was the first.
    for _ in 1..COMMANDS_MAX {
        session.say(&json!({"op": 1, "d": null})).await;
    }
    for _ in 1..COMMANDS_MAX {
        assert!(matches!(session.hear(PATIENCE).await, Heard::Other(ack) if ack["op"] == 11));
    }
    session.say(&json!({"op": 1, "d": null})).await;
    assert_eq!(close_code(&mut session).await, Some(4008));
}

/// 39, 40
#[tokio::test]
async fn a_session_that_cannot_go_on_is_refused() {
    let (stage, server) = stage().await;
    let (member, owner) = (&stage.people["member"], &stage.people["owner"]);
    let mut session = server.session(member).await;
    let foreign = server.session(owner).await.state.session_id;
    let own = session.state.session_id.clone();
    let head = session.state.s;
    for (what, token, session_id, seq, refusal) in [
        ("a future seq", &member.token, &own, head + 1, Err(4007)),
        ("a very future seq", &member.token, &own, i64::MAX, Err(4007)),
        ("a negative seq", &member.token, &own, -1, Ok(())),
        ("zero", &member.token, &own, 0, Ok(())),
        ("another's session", &member.token, &foreign, head, Ok(())),
        ("with another's token", &owner.token, &own, head, Ok(())),
        ("no session", &member.token, &Some("x".repeat(64)), head, Ok(())),
        ("an empty session", &member.token, &Some(String::new()), head, Ok(())),
    ] {
        session.hang_up();
        session.connect().await.expect("it connects");
        session
            .say(&json!({"op": 6, "d": {"token": token, "session_id": session_id, "seq": seq}}))
            .await;
        match refusal {
            Ok(()) => {
                assert_eq!(session.hear(PATIENCE).await, Heard::Invalid, "{what}");
                session.identify().await;
                assert!(
                    matches!(session.hear(PATIENCE).await, Heard::Dispatch(ready) if ready["t"] == "READY"),
                    "{what}: it may identify anew"
                );
            }
            Err(code) => assert_eq!(close_code(&mut session).await, Some(code), "{what}"),
        }
    }
}

/// 40, of the same user
#[tokio::test]
async fn a_session_belongs_to_its_login() {
    let (stage, server) = stage().await;
    let member = &stage.people["member"];
    let mut session = server.session(member).await;
    let sign_in = SignIn {
        username: "member".into(),
        password: nexus_testkit::worlds::PASSWORD.into(),
    };
    session.token = server
        .app()
        .logins()
        .sign_in(sign_in, "testkit")
        .await
        .expect("a second login")
        .access_token;
    session.hang_up();
    session.recover().await;
    assert_eq!((session.identified, session.resumed), (2, 0));
}

/// 42
#[tokio::test]
async fn the_end_of_a_login_closes_its_sockets_and_no_others() {
    let (stage, server) = stage().await;
    let member = &stage.people["member"];
    let sign_in = SignIn {
        username: "member".into(),
        password: nexus_testkit::worlds::PASSWORD.into(),
    };
    let other = server
        .app()
        .logins()
        .sign_in(sign_in, "testkit")
        .await
        .expect("a second login")
        .access_token;
    let mut ended = [server.session(member).await, server.session(member).await];
    let mut stays = Session::begin(server.address, &other).await;
    let began = Instant::now();
    server.rest(member).must("POST", "/auth/logout", None).await;
    for session in &mut ended {
        assert_eq!(close_code(session).await, Some(4004));
        session.connect().await.expect("it connects");
        session.resume().await;
        assert_eq!(close_code(session).await, Some(4004), "nor does it come back");
    }
    assert!(began.elapsed() < AT_ONCE, "after {:?}", began.elapsed());
    let sent = stage.say("owner", stage.open, "Still there?").await;
    stays.until_message(stage.open.0, sent.0).await;
    assert!(stays.closes.is_empty());
}

/// 43
#[tokio::test]
async fn who_is_removed_is_told_and_hears_nothing_more() {
    let (stage, server) = stage().await;
    let mut session = server.session(&stage.people["member"]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    stage
        .world
        .app
        .members()
        .remove(stage.caller("owner"), stage.guild, stage.caller("member").user)
        .await
        .expect("they are removed");
    stage.say("owner", stage.open, "He is gone").await;
    let heard = session.until_quiet(AT_ONCE).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(matches!(&heard[0], Heard::Dispatch(frame) if frame["t"] == "GUILD_DELETE"));
    let answer = server
        .rest(&stage.people["member"])
        .get(&format!("/channels/{}/messages", stage.open))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 404);
}

/// 46
#[tokio::test]
async fn the_21st_socket_of_a_login_is_closed() {
    let (stage, server) = stage().await;
    let member = &stage.people["member"];
    let mut all = Vec::new();
    for _ in 0..SOCKETS_PER_LOGIN_MAX {
        all.push(server.session(member).await);
    }
    let mut one_more = Session::new(server.address, &member.token);
    one_more.connect().await.expect("it connects");
    one_more.identify().await;
    assert_eq!(close_code(&mut one_more).await, Some(4008));
    // A place that becomes free can be taken.
    all.pop().expect("there are twenty").say_raw(Message::Close(None)).await;
    one_more.recover().await;
    let sent = stage.say("owner", stage.open, "All of you").await;
    for session in &mut all {
        session.until_message(stage.open.0, sent.0).await;
    }
}

/// 48
#[tokio::test]
async fn compression_is_not_negotiated() {
    let (_, server) = stage().await;
    let (mut wire, status) = Wire::open(server.address, &[("sec-websocket-extensions", "permessage-deflate")]).await;
    assert_eq!(status, 101);
    assert!(wire.next().await.expect("HELLO comes").payload.starts_with(b"{"));
}

/// Control frames are commands too, answered or not: no memory and no core is theirs.
#[tokio::test]
async fn a_flood_of_pings_is_closed() {
    let (_, server) = stage().await;
    let mut wire = Wire::upgraded(server.address).await;
    wire.send(&frame(0x89, true, b"x").repeat(COMMANDS_MAX as usize + 1)).await;
    assert_eq!(wire.close_code().await, 4008);
}

/// Frames that never make a message, sent without a pause by a thread of its own, to a server with one thread: others get their turn.
#[tokio::test]
async fn a_flood_of_nothing_leaves_others_their_turn() {
    let (stage, server) = stage().await;
    let mut member = server.session(&stage.people["member"]).await;
    let address = server.address;
    let flooding = std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
        let head = "GET /gateway?v=10 HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("the request is sent");
        stream.read_exact(&mut [0; 12]).expect("it answers");
        stream.write_all(&frame(0x01, true, b"")).expect("a message begins");
        let nothing = frame(0x00, true, b"").repeat(10_000);
        while stream.write_all(&nothing).is_ok() {}
    });
    for number in 0..5 {
        let began = Instant::now();
        let message = stage.say("owner", stage.open, &format!("through {number}")).await;
        member.until_message(stage.open.0, message.0).await;
        assert!(began.elapsed() < 2 * AT_ONCE, "it took {:?}", began.elapsed());
    }
    // It is closed for it, too; the server needs this thread to do so.
    let ended = tokio::task::spawn_blocking(move || flooding.join());
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    ended
        .expect("it is closed in time")
        .expect("its thread is waited for")
        .expect("the flood ends");
}

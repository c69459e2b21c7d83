//! `nexus events`: what an operator types.

use super::{Place, payment, refused, sign, text};
use crate::server::nexus;

#[test]
fn sources_are_made_rotated_listed_and_removed_while_the_server_is_stopped() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let ended = place.command(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    };
    let last = |said: &str| said.lines().last().expect("a line").to_owned();
    let added = run(&[
        "source",
        "add",
        "acme",
        "--event",
        "PAYMENT_RECEIVED",
        "--event",
        "MIO:*",
        "--reads",
    ]);
    let first = last(&added);
    assert!(first.len() >= 43 && !first.contains(' '), "{added}");
    let listed = run(&["source", "list"]);
    assert!(
        listed.contains("acme: FLOWPAY:PAYMENT_RECEIVED MIO:*, may read") && !listed.contains(&first),
        "{listed}"
    );

    let post = |hub: &super::Hub<'_>, secret: &str| {
        let body = payment("1");
        let ask = hub.ask("POST", "/events").body("", body.as_str()).header("x-nexus-source", "acme");
        ask.header("x-nexus-signature", &sign(secret, body.as_bytes())).send()
    };
    let hub = place.alone();
    post(&hub, &first).expect(200);
    // It is said where it can be done while the server runs.
    let busy = place.command(&["source", "list"]);
    assert_eq!(busy.code, Some(3), "{}", busy.stderr);
    assert!(
        busy.stderr.contains("/hub") && busy.stderr.contains("/events/sources"),
        "{}",
        busy.stderr
    );
    drop(hub);

    let second = last(&run(&["source", "rotate", "acme"]));
    assert_ne!(second, first);
    let hub = place.alone();
    post(&hub, &first).expect(200);
    post(&hub, &second).expect(200);
    let listed = hub.get("/events/sources");
    assert!(listed.to_string().contains("default"), "{listed}");
    drop(hub);

    run(&["source", "add", "strict", "--demand-timestamp"]);
    assert!(run(&["source", "list"]).contains("strict: *, must send X-Nexus-Timestamp"));
    run(&["source", "remove", "acme"]);
    let hub = place.alone();
    refused(&post(&hub, &second), 401, "invalid_signature");
    drop(hub);

    for (arguments, words) in [
        (&["source", "add", "strict"][..], "There is a source of that name"),
        (&["source", "add", "Acme Ltd"], "small letters"),
        (&["source", "add", "other", "--event", "WHAT:EVER"], "known types"),
        (&["source", "rotate", "nobody"], "no such thing"),
        (&["source", "remove", "nobody"], "no such thing"),
        (&["source", "rotate", "default"], "NEXUS_SECRET"),
    ] {
        let ended = place.command(arguments);
        assert!(
            ended.code == Some(1) && ended.stderr.contains(words),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn check_says_what_is_wrong_with_types_secrets_and_rules() {
    let place = Place::new();
    let data = place.data();
    let check = |environment: &[(&str, &str)]| nexus(&["events", "check", "--data", text(&data)], environment);
    let fresh = check(&[]);
    assert_eq!(fresh.code, Some(0), "{}", fresh.stderr);
    assert!(
        fresh.stdout.contains("secret: none yet") && fresh.stdout.contains("0 of them from hub.types"),
        "{}",
        fresh.stdout
    );

    let reactors = data.join("reactors");
    std::fs::create_dir(&reactors).expect("made");
    let rule = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[http]\nurl = \"{{ env.FACTORY_API_URL }}/api/mint\"\n";
    std::fs::write(reactors.join("mint.toml"), rule).expect("written");
    let idle = check(&[("NEXUS_SECRET", super::SECRET)]);
    assert_eq!(idle.code, Some(0), "{}", idle.stderr);
    assert!(idle.stdout.contains("secret: NEXUS_SECRET"), "{}", idle.stdout);
    assert!(
        idle.stdout.contains("mint.toml: idle: ") && idle.stdout.contains("FACTORY_API_URL"),
        "{}",
        idle.stdout
    );
    let active = check(&[("FACTORY_API_URL", "http://127.0.0.1:9")]);
    assert!(
        active.stdout.contains("mint.toml: ready (on FLOWPAY:PAYMENT_RECEIVED)"),
        "{}",
        active.stdout
    );

    std::fs::write(
        reactors.join("broken.toml"),
        "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\ncolour = \"red\"\n",
    )
    .expect("written");
    let broken = check(&[]);
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
    assert!(
        broken.stdout.contains("broken.toml:2:") && broken.stderr.contains("rules"),
        "{}",
        broken.stdout
    );

    let short = check(&[("NEXUS_SECRET", "short")]);
    assert!(short.code == Some(4) && short.stderr.contains("NEXUS_SECRET"), "{}", short.stderr);
    std::fs::write(data.join("nexus.toml"), "[hub]\ntypes = [\"GAUGE:READING gone.json\"]\n").expect("written");
    let gone = check(&[]);
    assert!(gone.code == Some(2) && gone.stderr.contains("gone.json"), "{}", gone.stderr);
}

//! What signed in, in a few words. The address it came from is never kept.

/// How a program names itself in its User-Agent, and what people call it. The first that fits is taken: Edge also says Chrome,
/// and Chrome also says Safari.
const PROGRAMS: &[(&[&str], &str)] = &[
    (&["Edg"], "Edge"),
    (&["OPR/", "Opera"], "Opera"),
    (&["SamsungBrowser", "Samsung Internet"], "Samsung Internet"),
    (&["Vivaldi"], "Vivaldi"),
    (&["Firefox", "FxiOS"], "Firefox"),
    (&["Chrome", "Chromium", "CriOS"], "Chrome"),
    (&["Safari"], "Safari"),
    (&["DiscordBot"], "Bot"),
    (&["curl/"], "curl"),
];

/// The same for operating systems: Android also says Linux, and an iPhone also says Mac OS X.
const SYSTEMS: &[(&[&str], &str)] = &[
    (&["Android"], "Android"),
    (&["iPhone", "iPad", "iOS"], "iOS"),
    (&["CrOS", "ChromeOS"], "ChromeOS"),
    (&["Windows"], "Windows"),
    (&["Mac OS X", "Macintosh", "macOS"], "macOS"),
    (&["Linux"], "Linux"),
];

/// Names a client by its User-Agent: "Firefox on Linux". A label given again stays as it is.
pub fn label(user_agent: &str) -> String {
    match (find(PROGRAMS, user_agent), find(SYSTEMS, user_agent)) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Unknown client".to_owned(),
    }
}

fn find(table: &[(&[&str], &'static str)], user_agent: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(marks, _)| marks.iter().any(|mark| user_agent.contains(mark)))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_by_its_user_agent() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                "Chrome on iOS",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            ("DiscordBot (https://example.org, 1.0)", "Bot"),
            ("curl/7.88.1", "curl"),
            ("something of its own", "Unknown client"),
            ("", "Unknown client"),
        ];
        for (user_agent, expected) in cases {
            assert_eq!(label(user_agent), expected, "{user_agent}");
            if expected != "Bot" && expected != "curl" {
                assert_eq!(label(expected), expected);
            }
        }
    }
}

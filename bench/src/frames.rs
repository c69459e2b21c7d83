//! A reader of the server's WebSocket frames, and the few things that a receiver looks for in them.
//!
//! It parses no JSON: at twenty thousand deliveries a second that would cost the generator more than the server.
//!
//! # Source
//! RFC 6455, section 5.2.

/// Text.
pub(crate) const TEXT: u8 = 1;
/// The end.
pub(crate) const CLOSE: u8 = 8;

/// What of the last frame is still to come. Empty most of the time.
#[derive(Default)]
pub(crate) struct Reader {
    held: Vec<u8>,
}

impl Reader {
    /// Hands every whole frame on: its opcode and its payload.
    pub(crate) fn take(&mut self, bytes: &[u8], mut frame: impl FnMut(u8, &[u8])) {
        if self.held.is_empty() {
            let done = split(bytes, &mut frame);
            self.held.extend_from_slice(&bytes[done..]);
            return;
        }
        self.held.extend_from_slice(bytes);
        let done = split(&self.held, &mut frame);
        self.held.drain(..done);
        if self.held.is_empty() {
            // A thousand sessions need not keep what their opening took.
            self.held = Vec::new();
        }
    }
}

/// Walks over the whole frames, and says how many bytes they were.
fn split(bytes: &[u8], frame: &mut impl FnMut(u8, &[u8])) -> usize {
    let mut done = 0;
    while let Some((opcode, start, length)) = header(&bytes[done..]) {
        let Some(payload) = bytes.get(done + start..done + start + length) else {
            break;
        };
        frame(opcode, payload);
        done += start + length;
    }
    done
}

/// Opcode, where the payload starts, and its length. A server neither masks nor, ours, fragments.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = bytes.first()? & 0x0f;
    let (start, length) = match bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    Some((opcode, start, length))
}

/// A client's text frame. It must be masked; with a key of zeros the payload stays as it is.
pub(crate) fn masked(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x80 | TEXT];
    let length = payload.len();
    if length < 126 {
        frame.push(0x80 | length as u8);
    } else {
        frame.push(0xfe);
        frame.extend_from_slice(&u16::try_from(length).expect("a command is short").to_be_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// The sequence number at the end of a dispatch: `…,"s":123}`.
pub(crate) fn sequence(payload: &[u8]) -> Option<i64> {
    let digits = payload.strip_suffix(b"}")?;
    let start = digits.iter().rposition(|byte| !byte.is_ascii_digit())? + 1;
    digits[..start].strip_suffix(b"\"s\":")?;
    std::str::from_utf8(&digits[start..]).ok()?.parse().ok()
}

/// What follows the last `mark`, up to the next quotation mark.
pub(crate) fn text_after<'a>(payload: &'a [u8], mark: &[u8]) -> Option<&'a str> {
    let at = payload.windows(mark.len()).rposition(|window| window == mark)? + mark.len();
    let length = payload[at..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&payload[at..at + length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x81];
        match payload.len() {
            short @ ..126 => frame.push(short as u8),
            long @ 126..=65_535 => {
                frame.push(126);
                frame.extend_from_slice(&(long as u16).to_be_bytes());
            }
            huge => {
                frame.push(127);
                frame.extend_from_slice(&(huge as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn frames_of_every_length_survive_any_cut() {
        let payloads = [vec![], vec![b'a'; 125], vec![b'b'; 126], vec![b'c'; 70_000]];
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| server_frame(payload)).collect();
        for step in [1, 2, 3, 127, 4_096, stream.len()] {
            let mut reader = Reader::default();
            let mut found = vec![];
            for piece in stream.chunks(step) {
                reader.take(piece, |opcode, payload| found.push((opcode, payload.to_vec())));
            }
            let expected: Vec<_> = payloads.iter().map(|payload| (TEXT, payload.clone())).collect();
            assert!(found == expected, "in steps of {step}");
            assert!(reader.held.is_empty());
        }
    }

    #[test]
    fn numbers_are_found_from_the_end() {
        let payload = br#"{"t":"MESSAGE_CREATE","op":0,"d":{"content":"\"nonce\":\"9","nonce":"17","member":{"nick":null}},"s":204}"#;
        assert_eq!((sequence(payload), text_after(payload, br#""nonce":""#)), (Some(204), Some("17")));
        assert_eq!(sequence(br#"{"t":null,"s":null,"op":11,"d":null}"#), None);
        assert_eq!(text_after(b"{}", br#""nonce":""#), None);
    }

    #[test]
    fn a_clients_frame_is_masked_with_zeros() {
        assert_eq!(masked("hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(masked(&"x".repeat(300))[..4], [0x81, 0xfe, 1, 44]);
    }
}

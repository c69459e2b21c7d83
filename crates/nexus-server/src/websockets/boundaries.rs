//! Where a client's frames end. tungstenite is handed no byte beyond the end of a frame before it has taken that frame: so its buffer
//! holds one unfinished message at most, and we know how much of it has come.

/// Two bytes, a long length and a mask.
const HEAD_BYTES_MAX: usize = 2 + 8 + 4;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Opcodes from here on are those of control frames.
const CONTROL: u8 = 0x8;

/// Follows the frames in what is read. Whether they are good is tungstenite's affair.
#[derive(Default)]
pub(super) struct Boundaries {
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of the head that came.
    head_bytes: usize,
    /// Bytes of the payload that are to come, once the head is whole.
    left: u64,
    /// Bytes of the frame that came.
    frame: usize,
    /// Bytes of the frames of this message that came whole.
    fragments: usize,
}

impl Boundaries {
    /// How many of these bytes belong to the current frame; they count as read.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while self.head_bytes < self.head_len() && taken < bytes.len() {
            self.head[self.head_bytes] = bytes[taken];
            self.head_bytes += 1;
            taken += 1;
            if self.head_bytes == self.head_len() {
                self.left = self.payload_len();
            }
        }
        let rest = (bytes.len() - taken) as u64;
        let payload = rest.min(self.left);
        self.left -= payload;
        taken += payload as usize;
        self.frame += taken;
        if self.head_bytes == self.head_len() && self.left == 0 {
            self.end_frame();
        }
        taken
    }

    /// Bytes of the message that has begun and not ended.
    pub(super) fn begun(&self) -> usize {
        self.fragments + self.frame
    }

    fn head_len(&self) -> usize {
        if self.head_bytes < 2 {
            return 2;
        }
        let mask = if self.head[1] & MASKED == 0 { 0 } else { 4 };
        2 + self.length_len() + mask
    }

    fn length_len(&self) -> usize {
        match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn payload_len(&self) -> u64 {
        match self.length_len() {
            0 => u64::from(self.head[1] & !MASKED),
            count => self.head[2..2 + count].iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
        }
    }

    fn end_frame(&mut self) {
        let (last, opcode) = (self.head[0] & FIN != 0, self.head[0] & 0xf);
        if opcode < CONTROL {
            self.fragments = if last { 0 } else { self.fragments + self.frame };
        }
        (self.head_bytes, self.frame) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame that begins like this.
    fn frame(first: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match len {
            0..126 => bytes.push(0x80 | len as u8),
            126..65_536 => {
                bytes.push(0xfe);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.resize(bytes.len() + 4 + len, 0);
        bytes
    }

    #[test]
    fn frames_end_where_they_end_however_they_are_cut() {
        let lens = [0, 1, 125, 126, 65_535, 65_536];
        let whole: Vec<u8> = lens.iter().flat_map(|len| frame(0x81, *len)).collect();
        for step in [1, 2, 3, 7, 4_096, whole.len()] {
            let (mut boundaries, mut at, mut ends) = (Boundaries::default(), 0, vec![]);
            while at < whole.len() {
                at += boundaries.take(&whole[at..whole.len().min(at + step)]);
                if boundaries.begun() == 0 {
                    ends.push(at);
                }
            }
            let expected: Vec<usize> = lens
                .iter()
                .scan(0, |at, len| {
                    *at += frame(0x81, *len).len();
                    Some(*at)
                })
                .collect();
            assert_eq!(ends, expected, "in steps of {step}");
        }
    }

    #[test]
    fn a_message_has_begun_until_its_last_frame_ends() {
        let mut boundaries = Boundaries::default();
        let first = frame(0x01, 1_000);
        boundaries.take(&first[..500]);
        assert_eq!(boundaries.begun(), 500);
        boundaries.take(&first[500..]);
        assert_eq!(boundaries.begun(), first.len());
        // A ping in between is none of it, once it is whole.
        let ping = frame(0x89, 5);
        boundaries.take(&ping);
        assert_eq!(boundaries.begun(), first.len());
        boundaries.take(&frame(0x00, 10));
        assert_eq!(boundaries.begun(), first.len() + frame(0x00, 10).len());
        boundaries.take(&frame(0x80, 0));
        assert_eq!(boundaries.begun(), 0);
    }

    #[test]
    fn lengths_may_be_longer_than_they_need_be_and_absurd() {
        let mut boundaries = Boundaries::default();
        let mut clumsy = vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 3];
        clumsy.extend([0; 4 + 3]);
        assert_eq!(boundaries.take(&[&clumsy[..], b"more"].concat()), clumsy.len());
        assert_eq!(boundaries.begun(), 0);
        assert_eq!(boundaries.take(&[0x81, 0x03, 1, 2, 3, 4]), 5, "unmasked");
        let absurd = [0x81, 0x7f, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3];
        assert_eq!(boundaries.take(&absurd), absurd.len());
        assert_eq!(boundaries.begun(), absurd.len());
    }
}

//! Whole frames that wait for the kernel, and how they get there.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf as _, Bytes};
use tokio::net::TcpStream;

/// Answers to a client's own frames that may wait since the queue was last empty. One that asks without reading is closed.
const CONTROLS_MAX: usize = 256;
/// Frames handed to the kernel in one call.
const SLICES_MAX: usize = 64;

/// Whole frames that wait for the kernel; the front one may have begun.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// Has a part of the front frame gone out?
    begun: bool,
    /// Answers to the client's own frames that were put in since the queue was last empty.
    controls: usize,
}

impl Outbox {
    /// Frames that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a frame at the end.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.queue.push_back(frame);
    }

    /// Puts in an answer to a frame of the client; false if it has too many waiting already.
    pub(super) fn push_control(&mut self, frame: Bytes) -> bool {
        self.controls = if self.queue.is_empty() { 1 } else { self.controls + 1 };
        if self.controls > CONTROLS_MAX {
            return false;
        }
        self.push(frame);
        true
    }

    /// Forgets what waits, but for a frame that has begun.
    pub(super) fn clear(&mut self) {
        let keep = usize::from(self.begun);
        self.queue.truncate(keep);
        self.bytes = self.queue.iter().map(Bytes::len).sum();
    }

    /// Hands as much to the kernel as it takes.
    pub(super) fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
        while !self.queue.is_empty() {
            let written = if self.queue.len() == 1 {
                tcp.try_write(&self.queue[0])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = self.queue.len().min(SLICES_MAX);
                for (slice, frame) in slices.iter_mut().zip(&self.queue) {
                    *slice = IoSlice::new(frame);
                }
                tcp.try_write_vectored(&slices[..count])
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A burst leaves a long queue behind; an idle session holds nothing.
        if self.queue.capacity() > SLICES_MAX {
            self.queue = VecDeque::new();
        }
        Ok(())
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(front) = self.queue.front_mut() {
            if front.len() > count {
                front.advance(count);
                self.begun |= count > 0;
                return;
            }
            count -= front.len();
            self.queue.pop_front();
            self.begun = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_bounded_until_the_queue_was_empty() {
        let mut outbox = Outbox::default();
        let answer = || Bytes::from_static(b"pong");
        assert!((0..CONTROLS_MAX).all(|_| outbox.push_control(answer())));
        assert!(!outbox.push_control(answer()));
        outbox.advance(4 * CONTROLS_MAX);
        assert!(outbox.push_control(answer()));
    }

    #[test]
    fn clearing_keeps_a_frame_that_has_begun() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"first"));
        outbox.push(Bytes::from_static(b"second"));
        outbox.advance(2);
        outbox.clear();
        assert_eq!(outbox.queue, [Bytes::from_static(b"rst")]);
        outbox.advance(3);
        outbox.push(Bytes::from_static(b"third"));
        outbox.clear();
        assert!(outbox.queue.is_empty() && outbox.bytes == 0);
    }

    #[test]
    fn frames_go_out_across_any_cut() {
        for cut in 0..=11 {
            let mut outbox = Outbox::default();
            outbox.push(Bytes::from_static(b"first"));
            outbox.push(Bytes::from_static(b"second"));
            outbox.advance(cut);
            let left: Vec<u8> = outbox.queue.iter().flatten().copied().collect();
            assert_eq!(left, b"firstsecond"[cut..], "cut at {cut}");
            assert_eq!(outbox.bytes, left.len());
        }
    }
}

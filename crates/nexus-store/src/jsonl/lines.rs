//! Reading lines: all of a file one after the other, or a few from the middle.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::files::read_exact_at;
use crate::StoreError;
use crate::limits::LINE_BYTES_MAX;

/// A line that is not blank.
pub(super) struct Line<'l> {
    /// Counted from 1, blank ones included.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) start: u64,
    /// Where the next one begins.
    pub(super) end: u64,
    /// Does it end with a line feed?
    pub(super) ended: bool,
    /// Without the line feed; empty if it is longer than [`LINE_BYTES_MAX`].
    pub(super) bytes: &'l [u8],
}

impl Line<'_> {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.bytes).ok()
    }
}

/// The lines of a file.
pub(super) struct Lines<'f> {
    reader: BufReader<io::Take<&'f File>>,
    buffer: Vec<u8>,
    number: u64,
    at: u64,
}

impl<'f> Lines<'f> {
    /// Those that begin before `end`. Moves the file's cursor, which nobody else uses.
    pub(super) fn new(mut file: &'f File, end: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self {
            reader: BufReader::with_capacity(1 << 18, file.take(end)),
            buffer: Vec::new(),
            number: 0,
            at: 0,
        })
    }

    /// The next line that is not blank.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.buffer.clear();
            let read = (&mut self.reader).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            let start = self.at;
            self.at += read as u64;
            self.number += 1;
            let ended = self.buffer.last() == Some(&b'\n');
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            let too_long = !ended && read == LINE_BYTES_MAX;
            return Ok(Some(Line {
                number: self.number,
                start,
                end: self.at,
                ended,
                bytes: if too_long { &[] } else { self.buffer.trim_ascii() },
            }));
        }
    }
}

/// Some lines in the middle of a file. It stays good when the file is replaced.
pub(super) struct Span {
    pub(super) file: Arc<File>,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) count: usize,
}

impl Span {
    /// Reads and parses them.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, StoreError> {
        let mut bytes = vec![0; (self.end - self.start) as usize];
        read_exact_at(&self.file, &mut bytes, self.start).map_err(|cause| StoreError::internal("read the key log's files", cause))?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let parsed = lines.map(|line| serde_json::from_slice(line)).collect::<Result<Vec<T>, _>>();
        match parsed {
            Ok(parsed) if parsed.len() == self.count => Ok(parsed),
            // Not the parser's words: they quote what it found.
            _ => Err(StoreError::internal(
                "read the key log's files",
                "they were changed by somebody else",
            )),
        }
    }
}

/// Adds a value as a line.
pub(super) fn write_line(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *bytes, value).expect("plain values serialise");
    bytes.push(b'\n');
}

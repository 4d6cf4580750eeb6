//! What is in a file, and what was in it and cannot be read.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::disk::entry::{ENTRY_HEAD_BYTES, EntryHead, HEAD_BYTES, Head, MARK};
use crate::link::envelope::Envelope;

/// Bytes that are read at a time, unless an entry is longer.
const WINDOW_BYTES: usize = 256 * 1024;

/// A message that is in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Live {
    /// With the records of all its pieces.
    pub(crate) envelope: Envelope,
    /// One more than the highest number of a piece.
    pub(crate) pieces: u32,
    /// Bytes of the body, without its closing bracket.
    pub(crate) bytes: usize,
    /// Where its first entry begins, and its last one ends.
    pub(crate) first: u64,
    pub(crate) end: u64,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Records that cannot be read: all, if the head says how many there were, else at least these.
    pub(crate) lost: u64,
    pub(crate) head_is_intact: bool,
}

pub(crate) struct Scan {
    pub(crate) messages: BTreeMap<u64, Live>,
    /// Where the next entry is appended.
    pub(crate) length: u64,
    /// Records of all messages.
    pub(crate) records: u64,
    pub(crate) damage: Option<Damage>,
}

/// Reads a file from its beginning to its end.
pub(crate) fn scan(file: &File) -> io::Result<Scan> {
    let mut window = Window::new(file)?;
    let size = window.size;
    let head = window.at(0, HEAD_BYTES)?.and_then(Head::read);
    let mut found = Scan { messages: BTreeMap::new(), length: size, records: 0, damage: None };
    let written = head.map_or(size, |head| head.length);
    // Cut short, or damaged somewhere.
    let mut is_damaged = head.is_none() || written > size;
    let (mut records_written, mut unreadable) = (0, 0);
    // Where what cannot be read begins, if it goes on to the end.
    let mut unfinished = None;
    let mut offset = if head.is_some() { HEAD_BYTES as u64 } else { 0 };
    while offset < size {
        let entry = window.head(offset)?;
        let next = match entry {
            Some(entry) => offset + entry.size(),
            None => window.mark_after(offset)?,
        };
        let is_added = match entry {
            Some(entry) => found.add(&mut window, offset, entry)?,
            None => false,
        };
        if is_added {
            is_damaged |= unfinished.is_some();
            if next <= written {
                records_written = found.records;
            }
        } else {
            // A process that is killed while it appends leaves an unfinished end: no damage.
            is_damaged |= offset < written;
            unfinished.get_or_insert(offset);
            unreadable += entry.map_or(0, |entry| u64::from(entry.records));
        }
        offset = next;
    }
    if let Some(unfinished) = unfinished
        && !is_damaged
    {
        found.length = unfinished;
    }
    if is_damaged {
        let lost = head.map_or(unreadable, |head| head.records.saturating_sub(records_written));
        found.damage = Some(Damage { lost, head_is_intact: head.is_some() });
    }
    Ok(found)
}

impl Scan {
    /// Adds an entry; false if it is damaged.
    fn add(&mut self, window: &mut Window<'_>, offset: u64, entry: EntryHead) -> io::Result<bool> {
        if entry.is_removal() {
            if let Some(gone) = self.messages.remove(&entry.number) {
                self.records -= u64::from(gone.envelope.records);
            }
            return Ok(true);
        }
        let Some((envelope, bytes)) = window.piece(offset, &entry)? else { return Ok(false) };
        if self.messages.get(&entry.number).is_some_and(|known| entry.piece < known.pieces) {
            return Ok(true);
        }
        self.records += u64::from(entry.records);
        let end = offset + entry.size();
        let message = self.messages.entry(entry.number).or_insert_with(|| Live {
            envelope: Envelope { records: 0, ..envelope },
            pieces: 0,
            bytes: 0,
            first: offset,
            end,
        });
        message.envelope.records += entry.records;
        message.pieces = entry.piece + 1;
        message.bytes += bytes.len();
        message.end = end;
        Ok(true)
    }
}

/// The bodies of messages, without their closing brackets, by number, with how many records each
/// has. All their entries lie from `first` to `end`.
pub(crate) fn bodies(
    file: &File,
    numbers: &HashSet<u64>,
    first: u64,
    end: u64,
) -> io::Result<BTreeMap<u64, (Vec<u8>, u32)>> {
    let mut bodies: BTreeMap<u64, (Vec<u8>, u32)> = BTreeMap::new();
    let mut next_pieces: BTreeMap<u64, u32> = BTreeMap::new();
    let mut window = Window::new(file)?;
    let end = end.min(window.size);
    let mut offset = first;
    while offset < end {
        let Some(entry) = window.head(offset)? else {
            offset = window.mark_after(offset)?;
            continue;
        };
        if numbers.contains(&entry.number)
            && next_pieces.get(&entry.number).is_none_or(|next| entry.piece >= *next)
            && let Some((_, bytes)) = window.piece(offset, &entry)?
        {
            next_pieces.insert(entry.number, entry.piece + 1);
            let (body, records) = bodies.entry(entry.number).or_default();
            body.extend_from_slice(bytes);
            *records += entry.records;
            // The piece before it may be lost.
            body[0] = b'[';
        }
        offset += entry.size();
    }
    Ok(bodies)
}

/// A part of a file in memory, which moves along.
struct Window<'a> {
    file: &'a File,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self { file, size: file.metadata()?.len(), start: 0, bytes: Vec::new() })
    }

    /// Bytes of the file; `None` beyond its end.
    fn at(&mut self, offset: u64, count: usize) -> io::Result<Option<&[u8]>> {
        let end = offset + count as u64;
        if end > self.size {
            return Ok(None);
        }
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let rest = usize::try_from(self.size - offset).unwrap_or(usize::MAX);
            self.bytes.resize(count.max(WINDOW_BYTES).min(rest), 0);
            self.start = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..from + count))
    }

    /// The head of the entry that begins here; `None` if none does.
    fn head(&mut self, offset: u64) -> io::Result<Option<EntryHead>> {
        Ok(self.at(offset, ENTRY_HEAD_BYTES)?.and_then(EntryHead::read))
    }

    fn piece(&mut self, offset: u64, entry: &EntryHead) -> io::Result<Option<(Envelope, &[u8])>> {
        let start = offset + ENTRY_HEAD_BYTES as u64;
        let payload = self.at(start, entry.length as usize)?;
        Ok(payload.and_then(|payload| entry.piece(payload)))
    }

    /// Where the next entry may begin; the end of the file if there is none.
    fn mark_after(&mut self, offset: u64) -> io::Result<u64> {
        let mut offset = offset + 1;
        while offset < self.size {
            let rest = usize::try_from(self.size - offset).unwrap_or(usize::MAX);
            let count = rest.min(WINDOW_BYTES);
            let Some(bytes) = self.at(offset, count)? else { break };
            if let Some(place) = bytes.windows(MARK.len()).position(|bytes| bytes == MARK) {
                return Ok(offset + place as u64);
            }
            // A mark may lie across the end.
            let seen = if count == rest { count } else { count - (MARK.len() - 1) };
            offset += seen as u64;
        }
        Ok(self.size)
    }
}

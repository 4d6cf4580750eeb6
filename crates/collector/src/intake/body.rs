//! The records of a body, one after the other.

use serde_json::value::RawValue;

use crate::intake::reason::Reason;
use crate::intake::split::Split;

/// One element of the array.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// Cut and not read. A caller that does not know the head asks [`Body::whole`] for the element.
    Split(Split<'a>),
    /// A JSON value, as it stands.
    Whole(&'a RawValue),
}

/// Reads a body that should be a JSON array. What comes before a syntax error is read: a body that
/// was cut off costs what was cut off.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the last element begins.
    element: usize,
    state: State,
    splits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// An element was read.
    Inside,
    End,
}

impl<'a> Body<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, element: 0, state: State::Start, splits: true }
    }

    /// A body of which every element is read whole: means the same, and takes longer.
    pub fn unsplit(bytes: &'a [u8]) -> Self {
        Self { splits: false, ..Self::new(bytes) }
    }

    /// The next element; `None` at the end. After an error there is none.
    #[allow(clippy::should_implement_trait)] // An iterator could not be asked for `whole` meanwhile.
    pub fn next(&mut self) -> Option<Result<Element<'a>, Reason>> {
        match self.state {
            State::End => return None,
            State::Start => {
                self.skip_space();
                if self.peek() != Some(b'[') {
                    return Some(Err(self.no_array()));
                }
                self.at += 1;
                self.skip_space();
                if self.peek() == Some(b']') {
                    return self.close();
                }
            }
            State::Inside => {
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => return self.close(),
                    _ => return Some(Err(self.fail(Reason::NotJson))),
                }
            }
        }
        self.state = State::Inside;
        self.element = self.at;
        if self.splits
            && let Some(split) = Split::cut(&self.bytes[self.at..])
        {
            self.at += split.length;
            return Some(Ok(Element::Split(split)));
        }
        Some(self.whole().map(Element::Whole))
    }

    /// The whole of the last element, which may be longer or shorter than a split of it.
    pub fn whole(&mut self) -> Result<&'a RawValue, Reason> {
        let rest = &self.bytes[self.element..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(Ok(raw)) => {
                self.at = self.element + values.byte_offset();
                Ok(raw)
            }
            _ => Err(self.fail(Reason::NotJson)),
        }
    }

    fn close(&mut self) -> Option<Result<Element<'a>, Reason>> {
        self.at += 1;
        self.skip_space();
        self.state = State::End;
        (self.at < self.bytes.len()).then_some(Err(Reason::NotJson))
    }

    fn fail(&mut self, reason: Reason) -> Reason {
        self.state = State::End;
        reason
    }

    /// Why a body that does not begin with a bracket is none.
    fn no_array(&mut self) -> Reason {
        let is_json = serde_json::from_slice::<&RawValue>(self.bytes).is_ok();
        self.fail(if is_json { Reason::NotAnArray } else { Reason::NotJson })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }
}

//! What a record says of its metric: an operation and its value.

use std::borrow::Cow;

use phanos_core::record::Operation;
use serde_json::value::RawValue;

use crate::intake::kind::{Kind, operation_of_name};
use crate::intake::labels::{self, Labels};
use crate::intake::number;
use crate::intake::reason::Reason;
use crate::intake::text;

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Number(Operation, f64),
    /// The facts of an info.
    Facts(Labels<'a>),
    /// The state of an enum.
    State(Cow<'a, str>),
}

/// The value of a record of that kind: an array of operation and operand.
pub(crate) fn read(kind: Kind, raw: &RawValue) -> Result<Value<'_>, Reason> {
    let Ok((name, operand)) = serde_json::from_str::<(&RawValue, &RawValue)>(raw.get()) else {
        return Err(Reason::WrongType);
    };
    let name = text::string(name)?.ok_or(Reason::WrongType)?;
    match (kind, &*name) {
        (Kind::Info, "info" | "info_") => Ok(Value::Facts(labels::read(operand)?)),
        (Kind::Enum, "state") => Ok(Value::State(text::string(operand)?.ok_or(Reason::WrongType)?)),
        _ => {
            let operation = operation_of_name(name.as_bytes()).filter(|known| kind.has(*known));
            let operation = operation.ok_or(Reason::UnknownOperation)?;
            let text = operand.get().as_bytes();
            let whole = number::read(text).filter(|(_, length)| *length == text.len());
            let (number, _) = whole.ok_or(Reason::NotANumber)?;
            Ok(Value::Number(operation, number))
        }
    }
}

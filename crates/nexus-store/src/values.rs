//! What goes into a statement and what comes out: integers, text, bytes, booleans, null. Nothing else, because both databases
//! have these and nothing else with the same meaning. Ids and times are integers, JSON is text.

use crate::StoreError;

/// One argument of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A 64-bit integer: ids, times, counts.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// No value.
    Null,
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Int(value) => ValueRef::Integer(value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Bool(value) => ValueRef::Integer(value.into()),
            Self::Null => ValueRef::Null,
        }))
    }
}

/// One column of a row as the database gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnValue<'a> {
    /// An integer; SQLite's booleans arrive as 0 and 1.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// No value.
    Null,
}

impl ColumnValue<'_> {
    fn kind(self) -> &'static str {
        match self {
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Null => "null",
        }
    }
}

/// A type that a column can be read as.
///
/// To implement it for a type of ours, read the plain type first: `Ok(Self::from(i64::column(value)?))`.
pub trait Column: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if the column holds another type; the message names the types, never the value.
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError>;
}

fn mismatch(wanted: &str, found: ColumnValue<'_>) -> StoreError {
    StoreError::internal("read a column", format_args!("wanted {wanted}, found {}", found.kind()))
}

impl Column for i64 {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Int(value) => Ok(value),
            other => Err(mismatch("an integer", other)),
        }
    }
}

impl Column for bool {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Int(value) => Ok(value != 0),
            other => Err(mismatch("a boolean", other)),
        }
    }
}

impl Column for String {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Text(value) => Ok(value.to_owned()),
            other => Err(mismatch("text", other)),
        }
    }
}

impl Column for Vec<u8> {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Bytes(value) => Ok(value.to_vec()),
            other => Err(mismatch("bytes", other)),
        }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        }
        .ok_or_else(|| StoreError::internal("read a column", format_args!("wanted {N} bytes")))
    }
}

impl Column for std::sync::Arc<str> {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Text(value) => Ok(value.into()),
            other => Err(mismatch("text", other)),
        }
    }
}

impl<T: Column> Column for Option<T> {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Null => Ok(None),
            other => T::column(other).map(Some),
        }
    }
}

/// One row of a query's result, read by column number.
pub struct Row<'r>(Source<'r>);

enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
}

impl<'r> Row<'r> {
    pub(crate) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self(Source::Sqlite(row))
    }

    /// Reads the column at `index`, counted from 0.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if there is no such column or it holds another type.
    pub fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        use rusqlite::types::ValueRef;
        let Source::Sqlite(row) = self.0;
        let raw = row.get_ref(index).map_err(|cause| StoreError::internal("read a column", cause))?;
        T::column(match raw {
            ValueRef::Integer(value) => ColumnValue::Int(value),
            ValueRef::Text(value) => {
                ColumnValue::Text(std::str::from_utf8(value).map_err(|cause| StoreError::internal("read a column as UTF-8", cause))?)
            }
            ValueRef::Blob(value) => ColumnValue::Bytes(value),
            ValueRef::Null => ColumnValue::Null,
            ValueRef::Real(_) => return Err(StoreError::internal("read a column", "found a floating point number")),
        })
    }
}

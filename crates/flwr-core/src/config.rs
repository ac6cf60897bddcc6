//! Run, node and federation configuration: the `key=value` grammar of the command lines, the
//! flat form that travels on the wire, and laying overrides over defaults.
//!
//! On the command line every `key=value` pair is one line of TOML, so strings are quoted
//! (`name="x"`) and dotted keys nest (`optimizer.lr=0.1`). On the wire nested tables are flat,
//! their names joined by dots.

use std::collections::BTreeMap;

use bytes::Bytes;
use flwr_proto::scalar::Scalar as Wire;
use prost::Message as _;
use toml::{Table, Value};

mod nearest;
mod pairs;
mod syntax;

pub use nearest::nearest;
pub use pairs::{ignored, parse_pairs};
pub use syntax::SyntaxError;

/// A flat configuration: full dotted key to value.
pub type UserConfig = BTreeMap<String, Scalar>;

/// One configuration value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// TOML float.
    Float(f64),
    /// TOML integer.
    Int(i64),
    /// TOML boolean.
    Bool(bool),
    /// TOML string.
    Text(String),
    /// Only from the wire: a whole number beyond [`i64::MAX`].
    Uint(u64),
    /// Only from the wire: raw bytes.
    Bytes(Bytes),
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The pairs, written as TOML, are not TOML.
    #[error(
        "the configuration string `{given}` is in an invalid format. The correct format is, e.g., \
         'key1=123 key2=false key3=\"string\"', where values are of type bool, int, string, or \
         float, and pairs are separated by spaces"
    )]
    Pairs {
        /// What was given.
        given: String,
        /// What the TOML parser says about it.
        source: SyntaxError,
    },
    /// A `.toml` file among several values.
    #[error("TOML files cannot be passed alongside key-value pairs")]
    Mixed,
    /// The text of a configuration file is not TOML.
    #[error("not a TOML file")]
    File(#[source] SyntaxError),
    /// A value that cannot travel: an array or a date.
    #[error(
        "The value for key {0} needs to be of type `int`, `float`, `bool, `str`, or  a `dict` of those."
    )]
    NotScalar(String),
    /// A value on the wire in which no kind is set.
    #[error("The value for key {0} is empty")]
    Empty(String),
    /// The kept form is damaged.
    #[error("the kept configuration is damaged")]
    Damaged,
    /// An override of something the app does not have.
    #[error("Key '{key}' is not present in the main dictionary{}", hint(.nearest.as_deref()))]
    UnknownKey {
        /// The override's key.
        key: String,
        /// The key of the app that looks most like it.
        nearest: Option<String>,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!(" (did you mean '{key}'?)"))
}

/// Whether a configuration flag names a TOML file instead of having pairs: it ends in `.toml`, in
/// letters of any case.
#[must_use]
pub fn is_toml_file(text: &str) -> bool {
    let suffix = text.len().checked_sub(5).and_then(|at| text.get(at..));
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(".toml"))
}

/// Reads the text of a configuration file.
///
/// # Errors
/// [`ConfigError::File`] when it is not TOML.
pub fn from_toml_text(text: &str) -> Result<Table, ConfigError> {
    text.parse()
        .map_err(|error| ConfigError::File(SyntaxError::of(text, &error)))
}

/// Joins nested keys with dots.
///
/// # Errors
/// [`ConfigError::NotScalar`] for arrays, dates and times.
pub fn flatten(table: &Table) -> Result<UserConfig, ConfigError> {
    let mut flat = UserConfig::new();
    flatten_into(&mut flat, table, "")?;
    Ok(flat)
}

fn flatten_into(flat: &mut UserConfig, table: &Table, prefix: &str) -> Result<(), ConfigError> {
    for (key, value) in table {
        let full = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        let scalar = match value {
            Value::Table(inner) => {
                flatten_into(flat, inner, &full)?;
                continue;
            }
            Value::Float(number) => Scalar::Float(*number),
            Value::Integer(number) => Scalar::Int(*number),
            Value::Boolean(flag) => Scalar::Bool(*flag),
            Value::String(text) => Scalar::Text(text.clone()),
            Value::Array(_) | Value::Datetime(_) => return Err(ConfigError::NotScalar(full)),
        };
        flat.insert(full, scalar);
    }
    Ok(())
}

/// Lays overrides over an app's own configuration. Kinds are not compared: an app may take an
/// int where its default is a float.
///
/// # Errors
/// [`ConfigError::UnknownKey`] when an override names a key that `base` does not have.
pub fn fuse(base: &UserConfig, overrides: &UserConfig) -> Result<UserConfig, ConfigError> {
    let mut fused = base.clone();
    for (key, value) in overrides {
        match fused.get_mut(key) {
            Some(slot) => slot.clone_from(value),
            None => return Err(unknown_key(key, base.keys().map(String::as_str))),
        }
    }
    Ok(fused)
}

/// The error for a key that is not among `known`, with the one that looks most like it.
pub fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> ConfigError {
    let nearest = nearest(key, known).map(str::to_owned);
    ConfigError::UnknownKey {
        key: key.to_owned(),
        nearest,
    }
}

/// The configuration as it travels.
#[must_use]
pub fn to_wire(config: &UserConfig) -> BTreeMap<String, flwr_proto::Scalar> {
    config
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect()
}

/// The configuration as it came.
///
/// # Errors
/// [`ConfigError::Empty`] for a value in which no kind is set.
pub fn from_wire(wire: BTreeMap<String, flwr_proto::Scalar>) -> Result<UserConfig, ConfigError> {
    wire.into_iter()
        .map(|(key, value)| match Scalar::from_wire(value) {
            Some(scalar) => Ok((key, scalar)),
            None => Err(ConfigError::Empty(key)),
        })
        .collect()
}

/// The form in which a configuration is kept: a message Run with nothing else.
#[must_use]
pub fn to_bytes(config: &UserConfig) -> Vec<u8> {
    let run = flwr_proto::Run {
        override_config: to_wire(config),
        ..flwr_proto::Run::default()
    };
    run.encode_to_vec()
}

/// Reads a configuration that was kept.
///
/// # Errors
/// If the bytes are no such message, or a value has no kind.
pub fn from_bytes(bytes: &[u8]) -> Result<UserConfig, ConfigError> {
    let run = flwr_proto::Run::decode(bytes).map_err(|_| ConfigError::Damaged)?;
    from_wire(run.override_config)
}

impl Scalar {
    fn from_wire(wire: flwr_proto::Scalar) -> Option<Self> {
        Some(match wire.scalar? {
            Wire::Double(number) => Self::Float(number),
            Wire::Sint64(number) => Self::Int(number),
            Wire::Bool(flag) => Self::Bool(flag),
            Wire::String(text) => Self::Text(text),
            Wire::Uint64(number) => Self::Uint(number),
            Wire::Bytes(bytes) => Self::Bytes(bytes),
        })
    }
}

impl From<Scalar> for flwr_proto::Scalar {
    fn from(scalar: Scalar) -> Self {
        let wire = match scalar {
            Scalar::Float(number) => Wire::Double(number),
            Scalar::Int(number) => Wire::Sint64(number),
            Scalar::Bool(flag) => Wire::Bool(flag),
            Scalar::Text(text) => Wire::String(text),
            Scalar::Uint(number) => Wire::Uint64(number),
            Scalar::Bytes(bytes) => Wire::Bytes(bytes),
        };
        Self { scalar: Some(wire) }
    }
}

#[cfg(test)]
mod tests;

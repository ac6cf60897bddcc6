//! The records of a task, in the numbering until flwr 1.11 and in that from 1.12 on.
//!
//! A node that has not answered yet is of either. Where the numberings differ, texts and booleans
//! are then written in both: each side takes the one for what it says, and skips or overrides the
//! other, which it knows as a field of another kind.

use bytes::{BufMut, Bytes, BytesMut};
use flwr_core::refusal::Refusal;
use flwr_proto as proto;
use flwr_proto::config_record_value::Value as Today;
use flwr_proto::shared;
use flwr_proto::v1_08 as wire;
use flwr_proto::v1_08::config_record_value11::Value as Until11;
use prost::Message;
use prost::encoding::{self, WireType};

use crate::record_maps;

/// How the values of a record are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// flwr 1.8 to 1.11.
    Until11,
    /// flwr 1.12 to 1.14.
    From12,
    /// Not known.
    Either,
}

/// A record that these versions cannot have.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// They are no records at all.
    #[error("the records are malformed")]
    Malformed(#[from] prost::DecodeError),
    /// A number that has no place.
    #[error("`{0}` is above 2^63 - 1, which flwr before 1.12 cannot read")]
    TooLarge(String),
}

/// A whole RecordSet, as its bytes.
///
/// # Errors
/// If these releases cannot have such records.
pub(super) fn to_task(dict: proto::RecordDict, numbering: Numbering) -> Result<Bytes, RecordError> {
    let maps = record_maps::to_maps(dict);
    let mut set = BytesMut::new();
    let arrays = shared::RecordDict {
        config_records: Default::default(),
        ..maps.clone()
    };
    set.extend_from_slice(&arrays.encode_to_vec());
    for (name, record) in maps.config_records {
        let record = match numbering {
            Numbering::From12 => record.encode_to_vec(),
            Numbering::Until11 => until_11(record)?.encode_to_vec(),
            Numbering::Either => either(&record),
        };
        put_entry(&mut set, CONFIGS, &name, &record);
    }
    Ok(set.freeze())
}

/// The field of a RecordSet that holds its ConfigRecords, by name.
const CONFIGS: u32 = 3;
/// The field of a record that holds its values, by name.
const DATA: u32 = 1;

/// An entry of a map.
fn put_entry(bytes: &mut BytesMut, field: u32, name: &str, value: &[u8]) {
    let mut entry = BytesMut::new();
    put_bytes(&mut entry, 1, name.as_bytes());
    put_bytes(&mut entry, 2, value);
    put_bytes(bytes, field, &entry);
}

fn put_bytes(bytes: &mut BytesMut, field: u32, value: &[u8]) {
    encoding::encode_key(field, WireType::LengthDelimited, bytes);
    encoding::encode_varint(value.len() as u64, bytes);
    bytes.put_slice(value);
}

fn until_11(record: shared::ConfigRecord) -> Result<wire::ConfigRecord11, RecordError> {
    let value = |(name, value): (String, proto::ConfigRecordValue)| {
        let value = match value.value {
            None => None,
            Some(Today::Uint64(number)) => match i64::try_from(number) {
                Ok(number) => Some(Until11::Sint64(number)),
                Err(_) => return Err(RecordError::TooLarge(name)),
            },
            Some(Today::UintList(list)) => {
                let numbers = list.vals.into_iter().map(i64::try_from);
                let numbers: Result<Vec<_>, _> = numbers.collect();
                let vals = numbers.map_err(|_| RecordError::TooLarge(name.clone()))?;
                Some(Until11::SintList(proto::SintList { vals }))
            }
            Some(Today::Double(number)) => Some(Until11::Double(number)),
            Some(Today::Sint64(number)) => Some(Until11::Sint64(number)),
            Some(Today::Bool(flag)) => Some(Until11::Bool(flag)),
            Some(Today::String(text)) => Some(Until11::String(text)),
            Some(Today::Bytes(bytes)) => Some(Until11::Bytes(bytes)),
            Some(Today::DoubleList(list)) => Some(Until11::DoubleList(list)),
            Some(Today::SintList(list)) => Some(Until11::SintList(list)),
            Some(Today::BoolList(list)) => Some(Until11::BoolList(list)),
            Some(Today::StringList(list)) => Some(Until11::StringList(list)),
            Some(Today::BytesList(list)) => Some(Until11::BytesList(list)),
        };
        Ok((name, wire::ConfigRecordValue11 { value }))
    };
    let data = record.data.into_iter().map(value);
    Ok(wire::ConfigRecord11 {
        data: data.collect::<Result<_, _>>()?,
    })
}

/// Texts and booleans in both numberings, the rest in that from 1.12 on.
fn either(record: &shared::ConfigRecord) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for (name, value) in &record.data {
        let mut both = BytesMut::new();
        match &value.value {
            // 5 is a text from 1.12 on, and bytes before; 4 a text before, and a boolean since.
            Some(Today::String(text)) => {
                put_bytes(&mut both, 5, text.as_bytes());
                put_bytes(&mut both, 4, text.as_bytes());
            }
            // 3 is a boolean until 1.11, and a number since; 4 a text before, and a boolean since.
            Some(Today::Bool(flag)) => {
                encoding::bool::encode(3, flag, &mut both);
                encoding::bool::encode(4, flag, &mut both);
            }
            _ => both.extend_from_slice(&value.encode_to_vec()),
        }
        put_entry(&mut bytes, DATA, name, &both);
    }
    bytes.to_vec()
}

/// The records of a task.
///
/// # Errors
/// If these releases cannot have such records.
pub(super) fn read(recordset: Bytes, numbering: Numbering) -> Result<proto::RecordDict, Refusal> {
    from_task(recordset, numbering).map_err(|error| Refusal::field("recordset", error.to_string()))
}

/// A RecordSet from its bytes.
///
/// # Errors
/// If these releases cannot have such records.
pub(super) fn from_task(
    bytes: Bytes,
    numbering: Numbering,
) -> Result<proto::RecordDict, RecordError> {
    if numbering != Numbering::Until11 {
        return Ok(record_maps::from_maps(shared::RecordDict::decode(bytes)?));
    }
    let set = wire::RecordSet11::decode(bytes)?;
    let configs = set.configs.into_iter().map(|(name, record)| {
        let data = record.data.into_iter().map(|(name, value)| {
            let value = value.value.map(since_12);
            (name, proto::ConfigRecordValue { value })
        });
        let data = data.collect();
        (name, shared::ConfigRecord { data })
    });
    Ok(record_maps::from_maps(shared::RecordDict {
        array_records: set.parameters,
        metric_records: set.metrics,
        config_records: configs.collect(),
    }))
}

fn since_12(value: Until11) -> Today {
    match value {
        Until11::Double(number) => Today::Double(number),
        Until11::Sint64(number) => Today::Sint64(number),
        Until11::Bool(flag) => Today::Bool(flag),
        Until11::String(text) => Today::String(text),
        Until11::Bytes(bytes) => Today::Bytes(bytes),
        Until11::DoubleList(list) => Today::DoubleList(list),
        Until11::SintList(list) => Today::SintList(list),
        Until11::BoolList(list) => Today::BoolList(list),
        Until11::StringList(list) => Today::StringList(list),
        Until11::BytesList(list) => Today::BytesList(list),
    }
}

#[cfg(test)]
mod tests;

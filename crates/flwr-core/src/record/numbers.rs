//! The numbers in a reply: metrics of the app, read from the records that hold them.
//!
//! Arrays are never read. Message API: each MetricRecord, whatever the app calls the record.
//! NumPyClient and older: `evaluateres.loss`, `fitres.num_examples` and `evaluateres.num_examples`
//! are MetricRecords, and the app's own figures are in the ConfigRecords `fitres.metrics` and
//! `evaluateres.metrics`, mixed with texts (flwr 1.8 to 1.22 wire).

use flwr_proto as proto;
use flwr_proto::config_record_value::Value as Config;
use flwr_proto::metric_record_value::Value as Metric;
use prost::Message as _;

use super::json;
use crate::object::{Head, Kind, ObjectId};

/// Bytes of an object that is read.
pub const MAX_RECORD_BYTES: usize = 64 << 10;
/// Numbers of a reply that are read.
const MAX_NUMBERS: usize = 64;
/// Numbers of a list that are read.
const MAX_LIST: usize = 16;
/// Bytes of a name. A number with a longer name is left out.
const MAX_NAME_BYTES: usize = 128;
/// Records whose name says nothing beside those of their numbers.
const PLAIN: [&str; 4] = [
    "metrics",
    "evaluateres.loss",
    "evaluateres.num_examples",
    "fitres.num_examples",
];
/// ConfigRecords that hold numbers of the app.
const OLDER: [&str; 2] = ["evaluateres.metrics", "fitres.metrics"];
/// The names of the number of examples.
const EXAMPLES: [&str; 2] = ["num-examples", "num_examples"];
/// The round, in an instruction.
const ROUND: &str = "server-round";

/// The numbers of a reply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers {
    /// The numbers by name, in the order of the reply. A list is a number for each of its places:
    /// `name[0]`, `name[1]` …
    pub numbers: Vec<(String, f64)>,
    /// Examples that the reply is about.
    pub examples: Option<f64>,
}

/// The records that a RecordDict names. `None`: the object is none, or too large.
#[must_use]
pub fn records(content: &[u8]) -> Option<Vec<(String, ObjectId)>> {
    let (kind, body) = parts(content)?;
    let records = (kind == Kind::RecordDict).then(|| json::read_names(body));
    records.flatten()
}

/// The round that a record of an instruction names.
#[must_use]
pub fn round(content: &[u8]) -> Option<u32> {
    let (Kind::ConfigRecord, body) = parts(content)? else {
        return None;
    };
    let record = proto::ConfigRecord::decode(body).ok()?;
    let round = record.items.into_iter().find(|item| item.key == ROUND)?;
    match round.value?.value? {
        Config::Sint64(round) => round.try_into().ok(),
        Config::Uint64(round) => round.try_into().ok(),
        _ => None,
    }
}

/// The kind and the body of an object that is not too large.
fn parts(content: &[u8]) -> Option<(Kind, &[u8])> {
    if content.len() > MAX_RECORD_BYTES {
        return None;
    }
    let head = Head::read(content).ok()?;
    let split = content.iter().position(|byte| *byte == 0)?;
    Some((head.kind, &content[split + 1..]))
}

impl Numbers {
    /// Adds the numbers of a record with this name. What is no record with numbers adds nothing.
    pub fn read(&mut self, record: &str, content: &[u8]) {
        match parts(content) {
            Some((Kind::MetricRecord, body)) => self.read_metrics(record, body),
            Some((Kind::ConfigRecord, body)) if OLDER.contains(&record) => self.read_older(body),
            _ => {}
        }
    }

    fn read_metrics(&mut self, record: &str, body: &[u8]) {
        let Ok(metrics) = proto::MetricRecord::decode(body) else {
            return;
        };
        for proto::metric_record::Item { key, value } in metrics.items {
            let Some(value) = value.and_then(|value| value.value) else {
                continue;
            };
            let name = if PLAIN.contains(&record) {
                key.clone()
            } else {
                format!("{record}.{key}")
            };
            match value {
                Metric::Double(number) => self.add_metric(&key, name, number),
                Metric::Sint64(number) => self.add_metric(&key, name, number as f64),
                Metric::Uint64(number) => self.add_metric(&key, name, number as f64),
                Metric::DoubleList(list) => self.add_list(&name, list.vals.into_iter()),
                Metric::SintList(list) => {
                    self.add_list(&name, list.vals.into_iter().map(|number| number as f64));
                }
                Metric::UintList(list) => {
                    self.add_list(&name, list.vals.into_iter().map(|number| number as f64));
                }
            }
        }
    }

    /// A number of a MetricRecord, which may be that of the examples.
    fn add_metric(&mut self, key: &str, name: String, number: f64) {
        if EXAMPLES.contains(&key) && number.is_finite() && number >= 0.0 {
            self.examples.get_or_insert(number);
        }
        self.add(name, number);
    }

    fn read_older(&mut self, body: &[u8]) {
        let Ok(config) = proto::ConfigRecord::decode(body) else {
            return;
        };
        for proto::config_record::Item { key, value } in config.items {
            match value.and_then(|value| value.value) {
                Some(Config::Double(number)) => self.add(key, number),
                Some(Config::Sint64(number)) => self.add(key, number as f64),
                Some(Config::Uint64(number)) => self.add(key, number as f64),
                _ => {}
            }
        }
    }

    fn add_list(&mut self, name: &str, list: impl Iterator<Item = f64>) {
        for (place, number) in list.take(MAX_LIST).enumerate() {
            self.add(format!("{name}[{place}]"), number);
        }
    }

    fn add(&mut self, name: String, number: f64) {
        if name.len() <= MAX_NAME_BYTES && self.numbers.len() < MAX_NUMBERS {
            self.numbers.push((name, number));
        }
    }
}

#[cfg(test)]
mod tests;

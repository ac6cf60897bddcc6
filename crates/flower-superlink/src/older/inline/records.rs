//! A RecordDict in the layout of flwr 1.15 to 1.18, where records stand in maps by their kind, and
//! in that of today, where they stand in a list.

use flwr_proto as proto;
use flwr_proto::older::inline as wire;
use flwr_proto::record_dict::item::Value as Record;

use crate::older::message::AssembledMessage;

/// A message as those versions want it.
pub(super) fn message(whole: AssembledMessage) -> wire::Message {
    let message: proto::Message = whole.message.into();
    wire::Message {
        metadata: message.metadata,
        content: whole.content.map(to_inline),
        error: message.error,
    }
}

/// The RecordDict as those versions want it.
pub(in crate::older) fn to_inline(dict: proto::RecordDict) -> wire::RecordDict {
    let mut maps = wire::RecordDict::default();
    for proto::record_dict::Item { key, value } in dict.items {
        match value {
            Some(Record::ArrayRecord(record)) => {
                maps.array_records.insert(key, array_record(record));
            }
            Some(Record::MetricRecord(record)) => {
                let item = |item: proto::metric_record::Item| Some((item.key, item.value?));
                let data = record.items.into_iter().filter_map(item).collect();
                maps.metric_records.insert(key, wire::MetricRecord { data });
            }
            Some(Record::ConfigRecord(record)) => {
                let item = |item: proto::config_record::Item| Some((item.key, item.value?));
                let data = record.items.into_iter().filter_map(item).collect();
                maps.config_records.insert(key, wire::ConfigRecord { data });
            }
            None => {}
        }
    }
    maps
}

fn array_record(record: proto::ArrayRecord) -> wire::ArrayRecord {
    let pairs = record.items.into_iter();
    let (data_keys, data_values) = pairs
        .map(|item| (item.key, item.value.unwrap_or_default()))
        .unzip();
    wire::ArrayRecord {
        data_keys,
        data_values,
    }
}

/// The RecordDict as those versions send it, in the layout of today: arrays, then metrics, then
/// configuration, each by name.
pub(in crate::older) fn from_inline(maps: wire::RecordDict) -> proto::RecordDict {
    let arrays = maps
        .array_records
        .into_iter()
        .map(|(key, record)| (key, Record::ArrayRecord(items(record))));
    let metrics = maps.metric_records.into_iter().map(|(key, record)| {
        let item = |(key, value)| proto::metric_record::Item {
            key,
            value: Some(value),
        };
        let items = record.data.into_iter().map(item).collect();
        (key, Record::MetricRecord(proto::MetricRecord { items }))
    });
    let configs = maps.config_records.into_iter().map(|(key, record)| {
        let item = |(key, value)| proto::config_record::Item {
            key,
            value: Some(value),
        };
        let items = record.data.into_iter().map(item).collect();
        (key, Record::ConfigRecord(proto::ConfigRecord { items }))
    });
    let item = |(key, value)| proto::record_dict::Item {
        key,
        value: Some(value),
    };
    proto::RecordDict {
        items: arrays.chain(metrics).chain(configs).map(item).collect(),
    }
}

fn items(record: wire::ArrayRecord) -> proto::ArrayRecord {
    let pairs = record.data_keys.into_iter().zip(record.data_values);
    let item = |(key, value)| proto::array_record::Item {
        key,
        value: Some(value),
    };
    proto::ArrayRecord {
        items: pairs.map(item).collect(),
    }
}

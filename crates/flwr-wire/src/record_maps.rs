//! Records in maps by their kind, as flwr 1.8 to 1.18 have them. Since flwr 1.19 they stand in a
//! list.

use flwr_proto as proto;
use flwr_proto::record_dict::item::Value as Record;
use flwr_proto::shared as wire;

/// From a list to maps.
#[must_use]
pub(crate) fn to_maps(dict: proto::RecordDict) -> wire::RecordDict {
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

/// From maps to a list: arrays, then metrics, then configuration, each by name.
#[must_use]
pub(crate) fn from_maps(maps: wire::RecordDict) -> proto::RecordDict {
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

//! Bytes as the real flwr 1.22.0 makes them: `deflate()` of a RecordDict's records, and the records that
//! its `fitres_to_recorddict` and `evaluateres_to_recorddict` make of a NumPyClient's results.

use super::*;

const LOSS: &[u8] =
    b"MetricRecord  117\x00\n\x11\n\x04loss\x12\t\t\x9a\x99\x99\x99\x99\x99\xb9?\n\x12\n\x0cnum-examples\x12\x02\x10\x14\n\x10\n\x03nan\x12\t\t\x00\x00\x00\x00\x00\x00\xf8\x7f\n\x10\n\x03inf\x12\t\t\x00\x00\x00\x00\x00\x00\xf0\xff\n\x1a\n\x01l\x12\x15\xaa\x01\x12\n\x10\x00\x00\x00\x00\x00\x00\xf8?\x00\x00\x00\x00\x00\x00\x04@\n\x0c\n\x01u\x12\x07\xb2\x01\x04\n\x02\x02\x04";
const MORE: &[u8] = b"MetricRecord  12\x00\n\n\n\x04loss\x12\x02\x10\x0e";
const ROUND_3: &[u8] =
    b"ConfigRecord  30\x00\n\x12\n\x0cserver-round\x12\x02\x10\x06\n\x08\n\x01s\x12\x03*\x01x";
const FIT_METRICS: &[u8] = b"ConfigRecord  59\x00\n\x15\n\x08accuracy\x12\t\t\x00\x00\x00\x00\x00\x00\xe8?\n\x0b\n\x03who\x12\x04*\x02me\n\x08\n\x02ok\x12\x02 \x01\n\x0b\n\x05steps\x12\x02\x10\x08";
const FIT_EXAMPLES: &[u8] = b"MetricRecord  20\x00\n\x12\n\x0cnum_examples\x12\x02\x10@";
const STATUS: &[u8] =
    b"ConfigRecord  29\x00\n\n\n\x04code\x12\x02\x10\x00\n\x0f\n\x07message\x12\x04*\x02ok";
const EVALUATE_LOSS: &[u8] =
    b"MetricRecord  19\x00\n\x11\n\x04loss\x12\t\t\x00\x00\x00\x00\x00\x00\xd0?";
const EVALUATE_EXAMPLES: &[u8] =
    b"MetricRecord  21\x00\n\x13\n\x0cnum_examples\x12\x03\x10\x80\x01";
const EVALUATE_METRICS: &[u8] =
    b"ConfigRecord  23\x00\n\x15\n\x08accuracy\x12\t\t\x00\x00\x00\x00\x00\x00\xec?";
const DICT: &[u8] = b"RecordDict 18951196b26aa635d01638e37d40d17ff43a20f58e47f625f3d0566f2b452e8c,8217d512e921f4f62f6355691e8e3109bc2182d28c004511479b67f23d561742,48718f678cc167428aaaa4044bd2501ad0e7b83b8bacaece957d0d7c4d400585 233\x00{\"metrics\": \"18951196b26aa635d01638e37d40d17ff43a20f58e47f625f3d0566f2b452e8c\", \"config\": \"8217d512e921f4f62f6355691e8e3109bc2182d28c004511479b67f23d561742\", \"more\": \"48718f678cc167428aaaa4044bd2501ad0e7b83b8bacaece957d0d7c4d400585\"}";

fn read(records: &[(&str, &[u8])]) -> Numbers {
    let mut numbers = Numbers::default();
    for (name, content) in records {
        numbers.read(name, content);
    }
    numbers
}

fn named(numbers: &Numbers) -> Vec<(&str, f64)> {
    let all = numbers.numbers.iter();
    all.map(|(name, number)| (name.as_str(), *number)).collect()
}

/// A MetricRecord as an object.
fn metrics(items: Vec<(String, Metric)>) -> Vec<u8> {
    let items = items
        .into_iter()
        .map(|(key, value)| proto::metric_record::Item {
            key,
            value: Some(proto::MetricRecordValue { value: Some(value) }),
        });
    let record = proto::MetricRecord {
        items: items.collect(),
    };
    crate::object::Object::new(Kind::MetricRecord, &[], &record.encode_to_vec())
        .bytes
        .to_vec()
}

#[test]
fn the_message_api_names_its_records() {
    let records = records(DICT).unwrap();
    let names: Vec<_> = records.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["metrics", "config", "more"]);
    for ((_, id), content) in records.iter().zip([LOSS, ROUND_3, MORE]) {
        assert_eq!(*id, ObjectId::of(content));
    }
    assert_eq!(records_of_other_objects(), [None, None]);
}

fn records_of_other_objects() -> [Option<Vec<(String, ObjectId)>>; 2] {
    [records(LOSS), records(b"no object")]
}

#[test]
fn the_message_api_has_its_numbers_in_metric_records() {
    let numbers = read(&[("metrics", LOSS), ("config", ROUND_3), ("more", MORE)]);
    let found = named(&numbers);
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    let expected = [
        "loss",
        "num-examples",
        "nan",
        "inf",
        "l[0]",
        "l[1]",
        "u[0]",
        "u[1]",
        "more.loss",
    ];
    assert_eq!(names, expected);
    let values: Vec<_> = found.iter().map(|(_, number)| *number).collect();
    assert_eq!((values[0], values[1]), (0.1, 10.0));
    assert!(values[2].is_nan());
    assert_eq!(values[3..], [f64::NEG_INFINITY, 1.5, 2.5, 1.0, 2.0, 7.0]);
    assert_eq!(numbers.examples, Some(10.0));
}

#[test]
fn a_numpy_client_has_its_figures_among_texts() {
    let fit = read(&[
        ("fitres.metrics", FIT_METRICS),
        ("fitres.num_examples", FIT_EXAMPLES),
        ("fitres.status", STATUS),
    ]);
    let expected = [("accuracy", 0.75), ("steps", 4.0), ("num_examples", 32.0)];
    assert_eq!(named(&fit), expected);
    assert_eq!(fit.examples, Some(32.0));
    let evaluate = read(&[
        ("evaluateres.loss", EVALUATE_LOSS),
        ("evaluateres.num_examples", EVALUATE_EXAMPLES),
        ("evaluateres.metrics", EVALUATE_METRICS),
        ("evaluateres.status", STATUS),
    ]);
    let expected = [("loss", 0.25), ("num_examples", 64.0), ("accuracy", 0.875)];
    assert_eq!(named(&evaluate), expected);
    assert_eq!(evaluate.examples, Some(64.0));
}

#[test]
fn the_round_is_an_integer_of_the_instruction() {
    assert_eq!(round(ROUND_3), Some(3));
    assert_eq!(round(FIT_METRICS), None);
    assert_eq!(round(LOSS), None);
    // -1, and a text.
    for value in [&b"\x12\x02\x10\x01"[..], b"\x12\x03*\x013"] {
        let item = [&b"\n\x0cserver-round"[..], value].concat();
        let length = u8::try_from(item.len()).unwrap();
        let body = [&[b'\n', length], &item[..]].concat();
        let object = crate::object::Object::new(Kind::ConfigRecord, &[], &body);
        assert_eq!(round(&object.bytes), None);
    }
}

#[test]
fn what_is_read_is_bounded() {
    let number = |n: usize| (format!("{n:04}"), Metric::Double(n as f64));
    let many = metrics((0..2_000).map(number).collect());
    assert_eq!(read(&[("metrics", &many)]).numbers.len(), MAX_NUMBERS);
    let vals = vec![1.0; 1_000];
    let list = Metric::DoubleList(proto::DoubleList { vals });
    let list = metrics(vec![("l".to_owned(), list)]);
    let found = read(&[("metrics", &list)]);
    assert_eq!(found.numbers.len(), MAX_LIST);
    assert_eq!(found.numbers[MAX_LIST - 1].0, "l[15]");
    let names = [MAX_NAME_BYTES, MAX_NAME_BYTES + 1].map(|bytes| "n".repeat(bytes));
    let long = metrics(names.map(|name| (name, Metric::Uint64(1))).to_vec());
    assert_eq!(read(&[("metrics", &long)]).numbers.len(), 1);
    let vals = vec![1.0; MAX_RECORD_BYTES / 8];
    let large = Metric::DoubleList(proto::DoubleList { vals });
    let large = metrics(vec![("l".to_owned(), large)]);
    assert_eq!(read(&[("metrics", &large)]), Numbers::default());
}

#[test]
fn what_lies_about_itself_says_nothing() {
    // A list of a billion doubles, which are not there.
    let body = b"\n\x0c\n\x01l\x12\x07\xaa\x01\x80\xa0\xd9\xe6\x1d";
    let lie = crate::object::Object::new(Kind::MetricRecord, &[], body);
    let cut = &LOSS[..LOSS.len() - 1];
    for content in [&lie.bytes[..], cut, b"", b"MetricRecord  3\x00\xff\xff\xff"] {
        assert_eq!(read(&[("metrics", content)]), Numbers::default());
    }
    for examples in [f64::NAN, f64::INFINITY, -1.0] {
        let odd = vec![("num-examples".to_owned(), Metric::Double(examples))];
        assert_eq!(read(&[("metrics", &metrics(odd))]).examples, None);
    }
}

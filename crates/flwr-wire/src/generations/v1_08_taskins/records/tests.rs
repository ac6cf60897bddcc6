//! Against bytes that flwr 1.8.0 and 1.12.0 made (`serialize` of their ConfigsRecord, RecordSet).

use flwr_proto::record_dict::item::Value as Record;

use super::*;

/// ConfigsRecords with one entry each, as flwr 1.8.0 and 1.12.0 serialize them.
const ENTRIES: [(&str, &str, &str); 9] = [
    (
        "lr",
        "0a0f0a026c721209099a9999999999b93f",
        "0a0f0a026c721209099a9999999999b93f",
    ),
    ("i", "0a070a016912021009", "0a070a016912021009"),
    ("f", "0a070a016612021801", "0a070a016612022001"),
    ("s", "0a080a01731203220178", "0a080a017312032a0178"),
    ("b", "0a080a016212032a0101", "0a080a01621203320101"),
    (
        "ld",
        "0a130a026c64120daa010a0a08000000000000f83f",
        "0a130a026c64120daa010a0a08000000000000f83f",
    ),
    (
        "lb",
        "0a0d0a026c621207ba01040a020100",
        "0a0d0a026c621207c201040a020100",
    ),
    (
        "ls",
        "0a0f0a026c731209c201060a01610a0162",
        "0a0f0a026c731209ca01060a01610a0162",
    ),
    (
        "lby",
        "0a0d0a036c62791206ca01030a017a",
        "0a0d0a036c62791206d201030a017a",
    ),
];

fn value(name: &str) -> Today {
    match name {
        "lr" => Today::Double(0.1),
        "i" => Today::Sint64(-5),
        "f" => Today::Bool(true),
        "s" => Today::String("x".to_owned()),
        "b" => Today::Bytes(Bytes::from_static(b"\x01")),
        "ld" => Today::DoubleList(proto::DoubleList { vals: vec![1.5] }),
        "lb" => Today::BoolList(proto::BoolList {
            vals: vec![true, false],
        }),
        "ls" => Today::StringList(proto::StringList {
            vals: vec!["a".to_owned(), "b".to_owned()],
        }),
        "lby" => Today::BytesList(proto::BytesList {
            vals: vec![Bytes::from_static(b"z")],
        }),
        other => panic!("{other}"),
    }
}

/// A RecordDict with one ConfigRecord `c`, which has this entry.
fn dict(name: &str) -> proto::RecordDict {
    let item = proto::config_record::Item {
        key: name.to_owned(),
        value: Some(proto::ConfigRecordValue {
            value: Some(value(name)),
        }),
    };
    proto::RecordDict {
        items: vec![proto::record_dict::Item {
            key: "c".to_owned(),
            value: Some(Record::ConfigRecord(proto::ConfigRecord {
                items: vec![item],
            })),
        }],
    }
}

/// The RecordSet around the bytes of such a ConfigsRecord.
fn set(record: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    put_entry(&mut bytes, CONFIGS, "c", &hex::decode(record).unwrap());
    bytes.freeze()
}

#[test]
fn each_numbering_is_written_and_read_as_its_versions_do() {
    for (name, until_11, from_12) in ENTRIES {
        for (numbering, record) in [(Numbering::Until11, until_11), (Numbering::From12, from_12)] {
            assert_eq!(
                to_task(dict(name), numbering).unwrap(),
                set(record),
                "{name}"
            );
            let read = from_task(set(record), numbering).unwrap();
            assert_eq!(read, dict(name), "{name}");
        }
    }
}

/// Read as "x" and as `True` by flwr 1.8.0 and 1.12.0 alike (`ConfigsRecord.FromString`).
#[test]
fn texts_and_booleans_for_either_are_written_in_both_numberings() {
    for (name, record) in [
        ("s", "0a0b0a017312062a0178220178"),
        ("f", "0a090a0166120418012001"),
        ("lr", ENTRIES[0].1),
    ] {
        let bytes = to_task(dict(name), Numbering::Either).unwrap();
        assert_eq!(bytes, set(record), "{name}");
    }
}

#[test]
fn metrics_and_parameters_are_numbered_alike() {
    let fit_ins = "0aba010a11666974696e732e706172616d657465727312a4010a0130129e011a0d6e756d70792e6e646172726179228c01934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028332c292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020200a000000000000803f000000401a2b0a0d666974696e732e636f6e666967121a0a070a0165120210020a0f0a026c721209099a9999999999b93f";
    let bytes = Bytes::from(hex::decode(fit_ins).unwrap());
    for numbering in [Numbering::Until11, Numbering::From12] {
        let read = from_task(bytes.clone(), numbering).unwrap();
        assert_eq!(to_task(read, numbering).unwrap(), bytes);
    }
}

#[test]
fn numbers_that_earlier_versions_cannot_have_are_refused() {
    let mut large = dict("i");
    let Some(Record::ConfigRecord(record)) = &mut large.items[0].value else {
        panic!("it is a ConfigRecord");
    };
    record.items[0].value.as_mut().unwrap().value = Some(Today::Uint64(1 << 63));
    assert!(to_task(large.clone(), Numbering::Until11).is_err());
    assert!(to_task(large, Numbering::From12).is_ok());
}

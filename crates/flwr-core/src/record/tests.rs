//! Ids and bodies as the real flwr 1.20.0, 1.21.0 and 1.22.0 make them, all three alike
//! (`RecordDict(...).deflate()` and `object_id`).

use flwr_proto::config_record_value::Value as Config;
use proptest::prelude::*;

use super::*;

fn config(pairs: Vec<(&str, Config)>) -> Record {
    let item = |(key, value): (&str, Config)| proto::config_record::Item {
        key: key.to_owned(),
        value: Some(proto::ConfigRecordValue { value: Some(value) }),
    };
    Record::ConfigRecord(proto::ConfigRecord {
        items: pairs.into_iter().map(item).collect(),
    })
}

fn arrays(pairs: Vec<(&str, proto::Array)>) -> Record {
    let item = |(key, value): (&str, proto::Array)| proto::array_record::Item {
        key: key.to_owned(),
        value: Some(value),
    };
    Record::ArrayRecord(proto::ArrayRecord {
        items: pairs.into_iter().map(item).collect(),
    })
}

fn dict(pairs: Vec<(&str, Record)>) -> proto::RecordDict {
    let item = |(key, value): (&str, Record)| proto::record_dict::Item {
        key: key.to_owned(),
        value: Some(value),
    };
    proto::RecordDict {
        items: pairs.into_iter().map(item).collect(),
    }
}

/// The .npy file of the float32 array [[1, 2], [3, 4]].
fn npy() -> Bytes {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend_from_slice(format!("{header:<117}\n").as_bytes());
    for number in [1.0_f32, 2.0, 3.0, 4.0] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.into()
}

fn weights() -> proto::Array {
    proto::Array {
        dtype: "float32".to_owned(),
        shape: vec![2, 2],
        stype: "numpy.ndarray".to_owned(),
        data: npy(),
    }
}

fn whole(dict: proto::RecordDict) -> Deflated {
    deflate(dict).unwrap()
}

fn id(dict: proto::RecordDict) -> String {
    whole(dict).tree.id.to_string()
}

#[test]
fn ids_are_those_of_flwr() {
    assert_eq!(
        id(proto::RecordDict::default()),
        "a5fc9cb09319dc373f7a8f11a799fd0d90c359120fd6241c230de34a4f93be3e"
    );
    let odd = "\u{43a}\u{43b}\u{44e}\u{447}\u{1f600}\u{7f}\t";
    assert_eq!(
        id(dict(vec![(odd, config(vec![]))])),
        "61791b3f574c055b7365c3b2cfd971e9792a62ea3b4e87916ffd5e77d2aa2814"
    );
}

#[test]
fn arrays_and_records_have_the_ids_of_flwr() {
    let whole = whole(dict(vec![("arrays", arrays(vec![("w", weights())]))]));
    let record = &whole.tree.children[0];
    let array = &record.children[0];
    let ids = [record, array, &array.children[0]].map(|tree| tree.id.to_string());
    assert_eq!(
        ids,
        [
            "b41f787437c019063e90bf05eaf81d7ef181bc0fc5dc11cee0db6f8042a8c21f",
            "9a6df3451aa0b992591a9034c8bd92ed282fdd133b06f879662523e78df61e38",
            "0bd55c552a4d962cf4398ecd7b71d1a05377410b9b904603b85f1760b8928530",
        ]
    );
}

#[test]
fn repeated_chunks_are_one_object() {
    let array = proto::Array {
        dtype: "uint8".to_owned(),
        shape: vec![41_943_045],
        stype: "raw".to_owned(),
        data: vec![0; 41_943_045].into(),
    };
    let whole = whole(dict(vec![("a", arrays(vec![("x", array.clone())]))]));
    let tree = &whole.tree.children[0].children[0];
    assert_eq!(
        tree.id.to_string(),
        "39d2cc35403ab03d74c53275618f974921acfffecb8f761259f8bae878cbccb6"
    );
    assert_eq!(tree.children.len(), 2);
    let again = inflate(whole.tree.id, &|id| whole.objects.get(id).cloned()).unwrap();
    let Some(Record::ArrayRecord(record)) = &again.items[0].value else {
        panic!("{:?}", again.items[0].key);
    };
    assert!(record.items[0].value.as_ref() == Some(&array));
}

#[test]
fn empty_data_has_no_chunk() {
    let array = proto::Array {
        dtype: "float32".to_owned(),
        shape: vec![0],
        stype: "numpy.ndarray".to_owned(),
        data: Bytes::new(),
    };
    let whole = whole(dict(vec![("a", arrays(vec![("x", array)]))]));
    assert_eq!(
        whole.tree.children[0].children[0].id.to_string(),
        "c52d510a35590c6c52266ad107014ce13411d13a09e4547d17714235989cb276"
    );
}

#[test]
fn an_array_of_1_19_is_read() {
    let body = weights().encode_to_vec();
    let array = Object::new(Kind::Array, &[], &body);
    assert_eq!(
        array.id.to_string(),
        "4375a9e6f2241685c4c3b75dc88c0e98eafe20e67514094a8c9f0e9703a4ce91"
    );
    let names = format!("{{\"w\": \"{}\"}}", array.id);
    let record = Object::new(Kind::ArrayRecord, &[array.id], names.as_bytes());
    let names = format!("{{\"r\": \"{}\"}}", record.id);
    let root = Object::new(Kind::RecordDict, &[record.id], names.as_bytes());
    let all = [&array, &record, &root];
    let read = inflate(root.id, &|id| {
        let found = all.iter().find(|object| object.id == *id);
        found.map(|object| object.bytes.clone())
    });
    assert_eq!(
        read.unwrap(),
        dict(vec![("r", arrays(vec![("w", weights())]))])
    );
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let nothing = |_: &ObjectId| None;
    let missing = ObjectId::of(b"");
    assert_eq!(
        inflate(missing, &nothing),
        Err(InflateError::Missing(missing))
    );
    for (object, expected) in [
        (Object::new(Kind::RecordDict, &[], b"rubbish"), "malformed"),
        (
            Object::new(
                Kind::RecordDict,
                &[],
                format!("{{\"a\": \"{missing}\"}}").as_bytes(),
            ),
            "malformed",
        ),
        (
            Object::new(Kind::ConfigRecord, &[], b""),
            "of kind ConfigRecord",
        ),
    ] {
        let error = inflate(object.id, &|_| Some(object.bytes.clone())).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// An ArrayRecord of this array, `times` times under different names, in a RecordDict.
fn named_often(array: &Object, times: usize) -> [Object; 2] {
    let names = (0..times).map(|at| format!("\"{at}\": \"{}\"", array.id));
    let names = format!("{{{}}}", names.collect::<Vec<_>>().join(", "));
    let record = Object::new(Kind::ArrayRecord, &[array.id], names.as_bytes());
    let names = format!("{{\"r\": \"{}\"}}", record.id);
    let root = Object::new(Kind::RecordDict, &[record.id], names.as_bytes());
    [record, root]
}

fn inflate_of(objects: &[Object], root: ObjectId) -> Result<proto::RecordDict, InflateError> {
    inflate(root, &|id| {
        let found = objects.iter().find(|object| object.id == *id);
        found.map(|object| object.bytes.clone())
    })
}

/// The array of one chunk, named so often.
fn array_of(chunk: &Object, times: usize, stype: &str) -> Object {
    let ids = vec!["0"; times].join(", ");
    let body = format!(
        "{{\"dtype\": \"float32\", \"shape\": [2, 2], \"stype\": \"{stype}\", \"arraychunk_ids\": [{ids}]}}"
    );
    Object::new(Kind::Array, &[chunk.id], body.as_bytes())
}

#[test]
fn a_chunk_that_is_named_too_often_is_refused_before_it_is_copied() {
    let chunk = Object::new(Kind::ArrayChunk, &[], &vec![0; 1 << 20]);
    // 42 GB, if somebody put them together.
    let array = array_of(&chunk, 40_000, "my.own");
    let [record, root] = named_often(&array, 1);
    let id = root.id;
    let refused = inflate_of(&[chunk.clone(), array, record, root], id);
    assert_eq!(refused, Err(InflateError::TooLarge));
    let array = array_of(&chunk, 2, "my.own");
    let [record, root] = named_often(&array, 1);
    let id = root.id;
    inflate_of(&[chunk, array, record, root], id).unwrap();
}

#[test]
fn an_array_that_is_named_too_often_is_refused() {
    let chunk = Object::new(Kind::ArrayChunk, &[], &vec![0; 1 << 20]);
    let array = array_of(&chunk, 1, "my.own");
    let [record, root] = named_often(&array, 3_000);
    let id = root.id;
    let refused = inflate_of(&[chunk, array, record, root], id);
    assert_eq!(refused, Err(InflateError::TooLarge));
}

#[test]
fn more_chunks_than_shape_and_dtype_need_are_refused() {
    let chunk = Object::new(Kind::ArrayChunk, &[], &npy());
    let array = array_of(&chunk, 1, "numpy.ndarray");
    let [record, root] = named_often(&array, 1);
    let id = root.id;
    inflate_of(&[chunk, array, record, root], id).unwrap();
    let chunk = Object::new(Kind::ArrayChunk, &[], &[0; 80_000]);
    let array = array_of(&chunk, 1, "numpy.ndarray");
    let (array_id, [record, root]) = (array.id, named_often(&array, 1));
    let id = root.id;
    let error = inflate_of(&[chunk, array, record, root], id).unwrap_err();
    let needed = 16 + 10 + 0xffff;
    assert_eq!(
        error,
        InflateError::Chunks {
            id: array_id,
            needed
        }
    );
}

#[test]
fn a_record_dict_that_becomes_too_many_objects_is_refused() {
    let arrays_of = |number: usize| {
        let item = |at: usize| proto::array_record::Item {
            key: at.to_string(),
            value: None,
        };
        let items = (0..number).map(item).collect();
        let record = Record::ArrayRecord(proto::ArrayRecord { items });
        dict(vec![("r", record)])
    };
    // The message, the RecordDict and the ArrayRecord count too.
    let most = ObjectTree::MAX_OBJECTS - 3;
    assert_eq!(
        deflate(arrays_of(most + 1)).unwrap_err(),
        TreeError::TooLarge
    );
    let tree = whole(arrays_of(most)).tree;
    assert_eq!(tree.post_order().len(), 3, "equal arrays are one object");
}

proptest! {
    #[test]
    fn what_was_deflated_is_inflated_to_the_same(
        names in proptest::collection::btree_set(".{0,12}", 0..4),
        values in proptest::collection::vec(any::<i64>(), 0..4),
        data in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let pairs: Vec<_> = values.iter().map(|value| ("n", Config::Sint64(*value))).collect();
        let array = proto::Array { data: data.into(), ..weights() };
        let records = names.iter().enumerate().map(|(at, name)| {
            let record = if at % 2 == 0 {
                config(pairs.clone())
            } else {
                arrays(vec![("w", array.clone()), ("w2", array.clone())])
            };
            (name.as_str(), record)
        });
        let dict = dict(records.collect());
        let Deflated { tree, objects } = whole(dict.clone());
        for node in tree.post_order() {
            prop_assert_eq!(ObjectId::of(&objects[&node.id]), node.id);
        }
        prop_assert_eq!(inflate(tree.id, &|id| objects.get(id).cloned()), Ok(dict));
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        for kind in [Kind::RecordDict, Kind::ArrayRecord, Kind::Array] {
            let object = Object::new(kind, &[], &body);
            let _ = inflate(object.id, &|_| Some(object.bytes.clone()));
        }
    }
}

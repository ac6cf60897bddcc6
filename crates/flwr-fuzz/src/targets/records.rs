//! Objects that a record is put together from. An input names its objects by their place, since no
//! mutation hits an id that is a hash: each line is `Kind children body`, and `@2` in a body stands
//! for the id of the third object. The last one is the root.

use std::collections::HashMap;

use bytes::Bytes;
use flwr_core::object::{Kind, Object, ObjectId};
use flwr_core::record;

use super::texts;

const KINDS: [Kind; 6] = [
    Kind::Array,
    Kind::ArrayChunk,
    Kind::ArrayRecord,
    Kind::ConfigRecord,
    Kind::MetricRecord,
    Kind::RecordDict,
];

pub(super) fn inflate(data: &[u8]) {
    let (mut objects, mut ids) = (HashMap::new(), Vec::new());
    for line in data.split(|byte| *byte == b'\n') {
        let Some(object) = object(line, &ids) else {
            continue;
        };
        ids.push(object.id);
        objects.insert(object.id, object.bytes);
    }
    let get = |id: &ObjectId| -> Option<Bytes> { objects.get(id).cloned() };
    if let Some(root) = ids.last()
        && let Ok(dict) = record::inflate(*root, &get)
    {
        // What was put together can be taken apart.
        let again = record::deflate(dict).unwrap();
        assert!(again.objects.contains_key(&again.tree.id));
    }
}

fn object(line: &[u8], ids: &[ObjectId]) -> Option<Object> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let kind = str::from_utf8(words.next()?).ok()?;
    let kind = KINDS.into_iter().find(|known| known.name() == kind)?;
    let children = str::from_utf8(words.next()?).ok()?.split(',');
    let children: Vec<_> = children
        .filter_map(|place| ids.get(place.parse::<usize>().ok()?).copied())
        .collect();
    let mut body = words.next()?.to_vec();
    if let Ok(text) = String::from_utf8(body.clone()) {
        let places = ids.iter().enumerate().rev();
        body = places
            .fold(text, |text, (place, id)| {
                text.replace(&format!("@{place}"), &id.to_string())
            })
            .into_bytes();
    }
    Some(Object::new(kind, &children, &body))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    texts([
        "ArrayChunk - 12345678\n\
         Array 0 {\"dtype\": \"float32\", \"shape\": [2], \"stype\": \"numpy.ndarray\", \"arraychunk_ids\": [0, 0]}\n\
         ArrayRecord 1 {\"weights\": \"@1\"}\n\
         ConfigRecord - \n\
         RecordDict 2,3 {\"model\": \"@2\", \"config\": \"@3\"}",
        "MetricRecord - \nRecordDict 0 {\"metrics\": \"@0\", \"again\": \"@0\"}",
        "RecordDict - {}",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_put_together() {
        for seed in seeds() {
            let mut ids = Vec::new();
            let mut objects = HashMap::new();
            for line in seed.split(|byte| *byte == b'\n') {
                let object = object(line, &ids).unwrap();
                ids.push(object.id);
                objects.insert(object.id, object.bytes);
            }
            let root = *ids.last().unwrap();
            record::inflate(root, &|id: &ObjectId| objects.get(id).cloned()).unwrap();
        }
    }
}

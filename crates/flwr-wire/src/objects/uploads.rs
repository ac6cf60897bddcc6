//! In which session of the SuperLink the objects of a reply are pushed. SuperLinks of flwr 1.33 and
//! later name a session in the answer to PushMessages, and take no object without its name.

use std::collections::HashMap;
use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use parking_lot::Mutex;

/// Objects that are noted at most. A reply that is given up leaves its objects here.
const MOST: usize = 1 << 16;

/// The session of each object that is still to be pushed.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<(RunId, ObjectId), Arc<str>>>);

impl Uploads {
    /// The SuperLink wants these objects in this session. An empty name is none.
    pub(super) fn begin(&self, run: RunId, objects: &[ObjectId], session: &str) {
        if session.is_empty() {
            return;
        }
        let session: Arc<str> = session.into();
        let mut noted = self.0.lock();
        if noted.len() + objects.len() > MOST {
            noted.clear();
        }
        noted.extend(objects.iter().map(|id| ((run, *id), Arc::clone(&session))));
    }

    /// The session in which the object is pushed; empty if there is none.
    pub(super) fn of(&self, run: RunId, id: ObjectId) -> String {
        let noted = self.0.lock();
        let session = noted.get(&(run, id)).map(AsRef::as_ref);
        session.unwrap_or_default().to_owned()
    }

    /// The object was pushed.
    pub(super) fn end(&self, run: RunId, id: ObjectId) {
        self.0.lock().remove(&(run, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_the_session_of_its_last_push_until_it_is_pushed() {
        let (uploads, run) = (Uploads::default(), RunId(7));
        let [one, other] = [b"one".as_slice(), b"other"].map(ObjectId::of);
        uploads.begin(run, &[one, other], "first");
        uploads.begin(run, &[one], "second");
        uploads.begin(run, &[other], "");
        assert_eq!(uploads.of(run, one), "second");
        assert_eq!(uploads.of(run, other), "first");
        assert_eq!(uploads.of(RunId(8), one), "");
        uploads.end(run, one);
        assert_eq!(uploads.of(run, one), "");
    }
}

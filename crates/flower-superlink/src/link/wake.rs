//! Who waits for what: calls that are held until there is something to answer.
//!
//! A wake-up is no state. It sits beside the store, is sent after the store has changed, and
//! says only "look again". Whoever waits therefore listens first, looks second, and waits third.

use std::collections::HashMap;
use std::sync::Arc;

use flwr_core::id::{NodeId, RunId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Something that callers wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A message for this node became whole, or the node is no more.
    Node(NodeId),
    /// A reply of this run became whole, or the run moved on.
    Run(RunId),
    /// This run has more log, or moved on.
    Log(RunId),
    /// There is a run that no ServerApp process has asked for.
    Pending,
}

/// The switchboard between those who change the state and those who wait.
#[derive(Debug, Default)]
pub struct Wake(Mutex<HashMap<Topic, Arc<Notify>>>);

/// A place to wait at. The topic is forgotten with its last listener.
#[derive(Debug)]
pub struct Listener<'a> {
    wake: &'a Wake,
    topic: Topic,
    notify: Option<Arc<Notify>>,
}

impl Wake {
    /// Begins to listen.
    pub fn listen(&self, topic: Topic) -> Listener<'_> {
        let notify = Arc::clone(self.0.lock().entry(topic).or_default());
        Listener {
            wake: self,
            topic,
            notify: Some(notify),
        }
    }

    /// Tells everybody who listens now to look again.
    pub fn notify(&self, topic: Topic) {
        let notify = self.0.lock().get(&topic).cloned();
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }
}

impl Listener<'_> {
    /// Resolves at the next notification after this call, whether it is polled before or not.
    pub fn next(&self) -> OwnedNotified {
        let notify = self.notify.clone().unwrap_or_default();
        notify.notified_owned()
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        let mut topics = self.wake.0.lock();
        // Under the lock nobody else can begin to listen: one holder is the table itself.
        drop(self.notify.take());
        if topics
            .get(&self.topic)
            .is_some_and(|notify| Arc::strong_count(notify) == 1)
        {
            topics.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_notification_between_listening_and_waiting_is_not_missed() {
        let wake = Wake::default();
        let listener = wake.listen(Topic::Pending);
        let next = listener.next();
        wake.notify(Topic::Pending);
        next.await;
    }

    #[test]
    fn a_topic_is_forgotten_with_its_last_listener() {
        let wake = Wake::default();
        let first = wake.listen(Topic::Node(NodeId(7)));
        let second = wake.listen(Topic::Node(NodeId(7)));
        drop(first);
        assert_eq!(wake.0.lock().len(), 1);
        drop(second);
        assert!(wake.0.lock().is_empty());
    }
}

//! Who waits for what: calls that are held until there is something to answer.
//!
//! A wake-up is no state. It sits beside the store, is sent after the store has changed, and
//! says only "look again". Whoever waits therefore listens first, looks second, and waits third.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Something that callers wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A message for this node became whole, or the node is no more.
    Node(NodeId),
    /// The run moved on. Who listens hears of its replies as well.
    Run(RunId),
    /// The reply to this instruction of the run became whole: told to those who listen to the run.
    Reply(RunId, MessageId),
    /// This run has more log, or moved on.
    Log(RunId),
    /// There is a run that no ServerApp process has asked for.
    Pending,
}

/// The switchboard between those who change the state and those who wait.
#[derive(Debug, Default)]
pub struct Wake(Mutex<HashMap<Topic, Arc<Place>>>);

/// Replies that are remembered for listeners who have not read them. Who reads later than that
/// looks at everything.
const REMEMBERED: usize = 16_384;

/// Where the listeners of a topic wait.
#[derive(Debug, Default)]
struct Place {
    notify: Arc<Notify>,
    told: Mutex<Told>,
}

/// The replies that were told, each with a number. Older numbers than `first` are forgotten.
#[derive(Debug, Default)]
struct Told {
    first: u64,
    replies: VecDeque<MessageId>,
}

impl Told {
    fn next(&self) -> u64 {
        self.first + self.replies.len() as u64
    }

    fn add(&mut self, reply: MessageId) {
        if self.replies.len() == REMEMBERED {
            self.replies.pop_front();
            self.first += 1;
        }
        self.replies.push_back(reply);
    }

    /// Something else has changed: nobody can go on from what was told.
    fn forget(&mut self) {
        self.first = self.next() + 1;
        self.replies.clear();
    }

    fn since(&self, number: u64) -> News {
        match number.checked_sub(self.first) {
            None => News::Anything,
            Some(read) => {
                let read = usize::try_from(read).unwrap_or(usize::MAX);
                News::Replies(self.replies.iter().skip(read).copied().collect())
            }
        }
    }
}

/// What a listener has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Anything may have changed.
    Anything,
    /// The replies to these instructions became whole, and nothing else is known to have changed.
    Replies(Vec<MessageId>),
}

/// A place to wait at. The topic is forgotten with its last listener.
#[derive(Debug)]
pub struct Listener<'a> {
    wake: &'a Wake,
    topic: Topic,
    place: Option<Arc<Place>>,
    /// The number of the first reply that this listener has not heard of.
    unread: u64,
}

impl Wake {
    /// Begins to listen.
    pub fn listen(&self, topic: Topic) -> Listener<'_> {
        let place = Arc::clone(self.0.lock().entry(topic).or_default());
        let unread = place.told.lock().next();
        Listener {
            wake: self,
            topic,
            place: Some(place),
            unread,
        }
    }

    /// Tells everybody who listens now to look again.
    pub fn notify(&self, topic: Topic) {
        let (topic, reply) = match topic {
            Topic::Reply(run, id) => (Topic::Run(run), Some(id)),
            topic => (topic, None),
        };
        let place = self.0.lock().get(&topic).cloned();
        if let Some(place) = place {
            match reply {
                Some(reply) => place.told.lock().add(reply),
                None => place.told.lock().forget(),
            }
            place.notify.notify_waiters();
        }
    }

    /// What is waited for now.
    pub fn topics(&self) -> Vec<Topic> {
        self.0.lock().keys().copied().collect()
    }

    /// Tells everybody to look again, as after a time in which nothing could be heard.
    pub fn notify_all(&self) {
        for topic in self.topics() {
            self.notify(topic);
        }
    }
}

impl Listener<'_> {
    /// Resolves at the next notification after this call, whether it is polled before or not.
    pub fn next(&self) -> OwnedNotified {
        let place = self.place.clone().unwrap_or_default();
        Arc::clone(&place.notify).notified_owned()
    }

    /// What was told since the last call, or since this began to listen.
    pub fn news(&mut self) -> News {
        let Some(place) = &self.place else {
            return News::Anything;
        };
        let told = place.told.lock();
        let news = told.since(self.unread);
        self.unread = told.next();
        news
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        let mut topics = self.wake.0.lock();
        // Under the lock nobody else can begin to listen: one holder is the table itself.
        drop(self.place.take());
        if topics
            .get(&self.topic)
            .is_some_and(|place| Arc::strong_count(place) == 1)
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

    #[test]
    fn a_listener_hears_which_replies_came_and_when_that_is_not_all() {
        let wake = Wake::default();
        let (run, id) = (RunId(7), |name: &str| MessageId::of(name.as_bytes()));
        let mut listener = wake.listen(Topic::Run(run));
        assert_eq!(listener.news(), News::Replies(vec![]));
        wake.notify(Topic::Reply(run, id("a")));
        wake.notify(Topic::Reply(run, id("b")));
        assert_eq!(listener.news(), News::Replies(vec![id("a"), id("b")]));
        wake.notify(Topic::Reply(run, id("c")));
        wake.notify(Topic::Run(run));
        wake.notify(Topic::Reply(run, id("d")));
        assert_eq!(listener.news(), News::Anything);
        assert_eq!(listener.news(), News::Replies(vec![]));
        for _ in 0..=REMEMBERED {
            wake.notify(Topic::Reply(run, id("e")));
        }
        assert_eq!(listener.news(), News::Anything, "more than is remembered");
    }
}

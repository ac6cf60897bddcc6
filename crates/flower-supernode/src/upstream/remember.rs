//! What the running node changes in the memory of its enrolment, while other processes may change it too:
//! they join anew, or renew the key.

use std::time::Duration;

use flwr_client::joined::{Held, Joined, MemoryError};
use flwr_core::cause::chain;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Between two tries to get the lock.
const MOMENT: Duration = Duration::from_secs(1);
/// A renewal of the key is over by then. The caller tries again later.
const TRIES: u32 = 5;

/// Does work on the memory while no other process does, if it is still that of this enrolment.
pub(super) async fn change<T: Send + 'static>(
    joined: &Joined,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let held = hold(joined).await?;
    let joined = joined.clone();
    blocking(move || {
        let _held = held;
        if !joined.is_in_place() {
            return Err(format!(
                "another enrolment has its place in {}: restart this SuperNode",
                joined.dir().display()
            ));
        }
        work()
    })
    .await
}

async fn hold(joined: &Joined) -> Result<Held, String> {
    let mut tries = 1;
    loop {
        let own = joined.clone();
        let held = spawn_blocking(move || own.hold()).await;
        match held.map_err(|panicked| panicked.to_string())? {
            Err(MemoryError::Busy(_)) if tries < TRIES => {
                tries += 1;
                sleep(MOMENT).await;
            }
            held => return held.map_err(|error| chain(&error)),
        }
    }
}

/// Work of the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = spawn_blocking(work).await;
    done.map_err(|panicked| panicked.to_string())?
}

#[cfg(test)]
mod tests {
    use flwr_client::joined::{Begun, Enrolled, Enrolments};
    use flwr_core::id::NodeId;
    use flwr_security::joining::JoinTokenId;

    use super::*;

    fn join(enrolments: &Enrolments, token: u8) -> Joined {
        let Begun::Pending(pending) = enrolments.begin(JoinTokenId([token; 8])).unwrap() else {
            panic!("it has joined");
        };
        let enrolled = Enrolled {
            superlink: &"superlink.example:9092".parse().unwrap(),
            node: NodeId(7),
            name: "",
            authorities: &[],
            certificate: b"",
        };
        pending.finish(&enrolled).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_changed_by_one_process_at_a_time_and_only_in_its_place() {
        let home = tempfile::tempdir().unwrap();
        let enrolments = Enrolments::below(home.path());
        let joined = join(&enrolments, 1);
        let held = joined.hold().unwrap();
        let refused = change(&joined, || Ok(())).await.unwrap_err();
        assert!(refused.contains("wait for it"), "{refused}");
        drop(held);
        let own = joined.clone();
        // The lock is held for as long as the work goes on.
        let during = change(&joined, move || Ok(own.hold().is_err())).await;
        assert_eq!(during, Ok(true));
        drop(joined.hold().unwrap());

        join(&enrolments, 2);
        let refused = change(&joined, || Ok(())).await.unwrap_err();
        assert!(refused.contains("restart"), "{refused}");
    }
}

//! Tasks with an owner. A free task outlives whoever started the task: nobody waits for it, stops
//! it or sees its panic. `JoinSet`, `TaskTracker` and [`Task`] are the owners here.

use tokio_util::task::AbortOnDropHandle;

/// A task that ends when this value is dropped. Awaiting the value gives the task's result.
pub type Task<T> = AbortOnDropHandle<T>;

/// Starts a task for the owner of the returned value.
#[must_use = "the task ends when this value is dropped"]
pub fn start<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Task<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the handle goes into a value that ends the task"
    )]
    let handle = tokio::spawn(work);
    AbortOnDropHandle::new(handle)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_task_gives_its_result_and_ends_with_its_owner() {
        assert_eq!(start(async { 7 }).await.unwrap(), 7);
        let (mut alive, dropped) = oneshot::channel::<()>();
        let task = start(async move {
            let _held = dropped;
            std::future::pending::<()>().await;
        });
        drop(task);
        alive.closed().await;
    }
}

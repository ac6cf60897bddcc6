//! Changes whose caller goes away.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use flwr_wire::host::Host as _;
use tokio::sync::oneshot;

use super::*;

#[tokio::test]
async fn a_change_is_completed_and_waited_for_when_its_caller_goes_away() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let done = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&done);
    let change = async move {
        let _ = may_go_on.await;
        noted.store(true, Ordering::SeqCst);
        Ok(())
    };
    {
        let mut call = pin!(host.complete(Box::pin(change)));
        let waits = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
    }
    go_on.send(()).unwrap();
    host.settled().await;
    assert!(done.load(Ordering::SeqCst));
}

use flwr_core::id::RunId;
use flwr_core::port::{Control, SignIn};
use flwr_core::refusal::{Class, Code, Refused};
use parking_lot::Mutex;

use super::*;
use crate::refused::failure;

/// A SuperLink that serves one service, and notes what it is asked.
#[derive(Clone)]
struct Serves {
    service: &'static str,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Serves {
    fn only(service: &'static str) -> Self {
        let asked = Arc::default();
        Self { service, asked }
    }

    fn answer<A: Read>(&self, path: &'static str) -> Result<A> {
        self.asked.lock().push(path);
        if path.contains("Login") {
            let text = "ExecServicer initialized without user authentication";
            return Err(failure(tonic::Status::unimplemented(text)));
        }
        if path.starts_with(self.service) {
            return Ok(A::default());
        }
        Err(Refused::read(Class::NotOffered, "Method not found!").into())
    }
}

impl Line for Serves {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        _: Q,
        _: Option<Duration>,
    ) -> Result<A> {
        self.answer(path)
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        _: Q,
        _: Option<Duration>,
    ) -> Result<Answers<A>> {
        self.answer::<A>(path)?;
        Ok(Box::pin(futures::stream::empty()))
    }
}

#[tokio::test]
async fn a_superlink_that_only_knows_exec_is_called_by_that_name() {
    let superlink = Serves::only("/flwr.proto.Exec/");
    let (control, found) = control(superlink.clone());
    assert!(!found.is_exec());
    control.runs(None).await.unwrap();
    assert!(found.is_exec());
    control.stop(RunId(7)).await.unwrap();
    // A clone remembers it too, and methods without an older name keep theirs.
    assert!(control.clone().nodes().await.is_err());
    assert_eq!(
        *superlink.asked.lock(),
        [
            "/flwr.proto.Control/ListRuns",
            "/flwr.proto.Exec/ListRuns",
            "/flwr.proto.Exec/StopRun",
            "/flwr.proto.Control/ListNodes",
        ]
    );
}

#[tokio::test]
async fn control_is_called_once() {
    let superlink = Serves::only("/flwr.proto.Control/");
    let (control, found) = control(superlink.clone());
    control.runs(None).await.unwrap();
    assert!(!found.is_exec());
    assert_eq!(*superlink.asked.lock(), ["/flwr.proto.Control/ListRuns"]);
}

/// Releases from 1.23 on do not say UNIMPLEMENTED.
#[test]
fn a_later_release_has_another_word_for_an_unknown_method() {
    let later = failure(tonic::Status::unknown("Error in service handler!"));
    assert!(later.is_unknown_method(), "{later:?}");
    let raised = failure(tonic::Status::unknown("Exception calling application: 7"));
    assert!(!raised.is_unknown_method(), "{raised:?}");
}

#[tokio::test]
async fn another_api_is_not_taken_for_exec() {
    let superlink = Serves::only("/flwr.proto.Fleet/");
    let (control, found) = control(superlink);
    let failure = control.runs(None).await.unwrap_err();
    assert!(failure.is_unknown_method(), "{failure:?}");
    assert!(!found.is_exec());
}

#[tokio::test]
async fn a_method_that_is_not_set_up_is_known() {
    let superlink = Serves::only("/flwr.proto.Control/");
    let (control, _) = control(superlink.clone());
    let failure = control.login().await.unwrap_err();
    assert!(
        matches!(failure, Failure::Answered(refused) if refused.code == Some(Code::NoAccountAuth))
    );
    assert_eq!(superlink.asked.lock().len(), 1);
}

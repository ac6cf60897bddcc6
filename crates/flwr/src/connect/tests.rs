use super::testing::{OldSuperLink, RUN};
use super::*;

#[tokio::test]
async fn a_superlink_that_only_knows_exec_is_spoken_to_in_its_words() {
    let mut superlink = OldSuperLink::default().serve().await;
    assert!(superlink.dialect == Dialect::Control);
    let started = superlink
        .start_run(StartRunRequest::default())
        .await
        .unwrap();
    assert_eq!(started.run_id, Some(RUN));
    assert!(superlink.dialect == Dialect::Exec);
    assert!(superlink.stop_run(RUN).await.unwrap().success);
    assert!(
        superlink
            .list_runs(None)
            .await
            .unwrap()
            .run_dict
            .contains_key(&RUN)
    );
}

#[tokio::test]
async fn its_refusals_come_through() {
    let mut superlink = OldSuperLink::default().serve().await;
    let status = superlink.list_runs(Some(8)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "Run ID not found")
    );
}

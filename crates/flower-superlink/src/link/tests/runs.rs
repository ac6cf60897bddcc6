//! Runs: how each begins, what its ServerApp says, and its log.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_run_starts_only_from_a_good_fab_and_known_configuration() {
    let federation = Federation::new();
    let start = |fab, overrides| {
        federation
            .link
            .start_run(fab, overrides, &Principal::Anybody)
    };
    let error = start(Bytes::from_static(b"PK"), UserConfig::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Fab(_))), "{error}");
    let mut damaged = bundle().to_vec();
    let at = damaged
        .windows(7)
        .position(|window| window == b"app = 1")
        .unwrap();
    damaged[at] = b'x';
    let error = start(damaged.into(), UserConfig::new()).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Fab(_))), "{error}");
    let unknown = UserConfig::from([("round".to_owned(), Scalar::Int(1))]);
    let error = start(bundle(), unknown).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(Refusal::RunConfig(_))),
        "{error}"
    );
    assert_eq!(federation.link.runs(&Principal::Anybody).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_run_has_one_token_and_only_that_opens_it() {
    let federation = Federation::new();
    let link = &federation.link;
    let run = link
        .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
        .await
        .unwrap();
    let token = link.issue_token(run).await.unwrap().unwrap();
    assert!(link.issue_token(run).await.unwrap().is_none());
    assert_eq!(link.run_of_token(token.as_str()).await.unwrap(), run);
    assert!(link.run_of_token("guess").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_read_ends_when_the_daemon_stops() {
    let federation = Federation::new();
    let run = federation.running().await;
    let begun = Instant::now();
    federation.stopper.stop();
    let read = federation
        .link
        .next_log(run, Timestamp::ZERO, usize::MAX)
        .await;
    assert!(matches!(read, Err(Error::Stopping)));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_a_serverapp_printed_before_a_restart_is_not_logged_twice() {
    let federation = Federation::new();
    let run = federation.running().await;
    let link = &federation.link;
    // As an earlier SuperLink left it, whose answer was lost.
    link.push_log(run, "one\n".to_owned()).await.unwrap();
    for text in ["one\n", "one\n", "two\n"] {
        link.push_app_log(run, text.to_owned()).await.unwrap();
    }
    let entry = link
        .next_log(run, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(entry.text, "one\none\ntwo\n");
}

#[tokio::test(start_paused = true)]
async fn a_full_superlink_takes_nothing_new_until_there_is_space() {
    let federation = Federation::with_limit(Some(bundle().len() as u64 + 1));
    let run = federation.running().await;
    let node = federation.node().await;
    let link = &federation.link;
    let first = federation.send(run, node, "a message").await;
    let other = first.parcel.clone();
    let more = link.send(run, vec![other.clone()]).await;
    assert!(matches!(more, Err(Error::Refused(Refusal::Full { .. }))));
    let start = link
        .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
        .await;
    assert!(matches!(start, Err(Error::Refused(Refusal::Full { .. }))));
    // What is under way comes to its end, and space returns.
    federation.answer(run, &first, "an answer").await;
    let reply = link
        .replies(run, &[Some(first.id())], Duration::MAX)
        .await
        .unwrap()
        .remove(0);
    link.confirm(run, reply.message.metadata.id).await.unwrap();
    link.send(run, vec![other]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_serverapps_print_counts_towards_the_limit() {
    let federation = Federation::with_limit(Some(bundle().len() as u64 + 1000));
    let run = federation.running().await;
    let node = federation.node().await;
    federation.link.note_outputs(1000);
    let mail = Mail::new(run, "a message", |metadata| Metadata {
        dst: node,
        ..metadata
    });
    let parcels = vec![mail.parcel];
    let refused = federation.link.send(run, parcels.clone()).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::Full { .. }))));
    federation.link.note_outputs(0);
    federation.link.send(run, parcels).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_log_is_read_to_the_end_of_its_run() {
    let federation = Federation::new();
    let run = federation.running().await;
    let link = Arc::clone(&federation.link);
    let reader = tokio::spawn(async move {
        let (mut text, mut after) = (String::new(), Timestamp::ZERO);
        while let Some(entry) = link.next_log(run, after, usize::MAX).await.unwrap() {
            text.push_str(&entry.text);
            after = entry.at;
        }
        text
    });
    for n in 0..10 {
        federation
            .link
            .push_log(run, format!("{n} "))
            .await
            .unwrap();
        tokio::task::yield_now().await;
    }
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    federation.link.report_status(run, completed).await.unwrap();
    assert_eq!(reader.await.unwrap(), "0 1 2 3 4 5 6 7 8 9 ");
}

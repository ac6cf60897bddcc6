//! Files that change, or become usable, while they are watched. The tests' own time runs ahead
//! whenever nothing else is to be done, so that no test waits.

use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::sync::Notify;

use super::*;
use crate::clock::SystemClock;

/// A file that is read, unless the system says no.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Readings that fail from now on.
    failures: AtomicUsize,
    readings: AtomicUsize,
    read: Notify,
}

impl Watched {
    fn new(path: &Path, failures: usize) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            failures: AtomicUsize::new(failures),
            readings: AtomicUsize::new(0),
            read: Notify::new(),
        })
    }

    fn readings(&self) -> usize {
        self.readings.load(Ordering::SeqCst)
    }
}

impl Renewable for Watched {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn renew(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.readings.fetch_add(1, Ordering::SeqCst);
        let fails = |left: usize| left.checked_sub(1);
        let (set, got) = (Ordering::SeqCst, Ordering::SeqCst);
        if self.failures.fetch_update(set, got, fails).is_ok() {
            // What a network file system says whose server has restarted.
            return Err(std::io::Error::from(ErrorKind::StaleNetworkFileHandle).into());
        }
        self.read.notify_one();
        Ok("it".to_owned())
    }
}

/// Watches a file, does this to it, and waits until it was read again.
async fn read_after(watched: &Arc<Watched>, act: impl FnOnce(&Renewals)) {
    let mut renewals = Renewals::new(Arc::new(SystemClock));
    renewals.add("--flag", Arc::<Watched>::clone(watched));
    act(&renewals);
    let stopper = Stopper::new();
    let running = tokio::task::spawn(renewals.clone().run(stopper.clone()));
    watched.read.notified().await;
    stopper.stop();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn access_that_is_granted_later_is_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.key");
    fs::write(&path, "key").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let watched = Watched::new(&path, 0);
    read_after(&watched, |_| {
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    })
    .await;
    assert_eq!(watched.readings(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_whose_dates_were_set_back_is_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.csv");
    fs::write(&path, "one").unwrap();
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let watched = Watched::new(&path, 0);
    read_after(&watched, |_| {
        fs::write(&path, "two").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(before))
            .unwrap();
    })
    .await;
    assert_eq!(watched.readings(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_although_no_file_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.pem");
    fs::write(&path, "certificate").unwrap();
    let watched = Watched::new(&path, 3);
    read_after(&watched, |_| fs::write(&path, "another").unwrap()).await;
    assert_eq!(watched.readings(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_sighup_is_tried_again_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.pem");
    fs::write(&path, "certificate").unwrap();
    let watched = Watched::new(&path, 1);
    let mut renewals = Renewals::new(Arc::new(SystemClock));
    renewals.add("--flag", Arc::<Watched>::clone(&watched));
    let stopper = Stopper::new();
    let running = tokio::task::spawn(renewals.clone().run(stopper.clone()));
    renewals.renew().await;
    assert_eq!(watched.readings(), 1);
    watched.read.notified().await;
    assert_eq!(watched.readings(), 2);
    stopper.stop();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_left_alone_is_read_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.pem");
    fs::write(&path, "certificate").unwrap();
    let watched = Watched::new(&path, 1);
    read_after(&watched, |_| fs::write(&path, "another").unwrap()).await;
    let mut renewals = Renewals::new(Arc::new(SystemClock));
    renewals.add("--flag", Arc::<Watched>::clone(&watched));
    let stopper = Stopper::new();
    let running = tokio::task::spawn(renewals.run(stopper.clone()));
    // Paused time: an hour of looking every second.
    sleep(Duration::from_secs(3600)).await;
    stopper.stop();
    running.await.unwrap();
    assert_eq!(watched.readings(), 2);
}

/// A CA with this name that ends so many days from now.
fn ca(name: &str, days: i64) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::days(100);
    params.not_after = now + time::Duration::days(days);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap())
        .unwrap()
        .pem()
}

/// What is said of each of the roots in a file.
fn standing(cas: &[(&str, i64)]) -> Vec<Standing> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.crt");
    let text: String = cas.iter().map(|(name, days)| ca(name, *days)).collect();
    fs::write(&path, text).unwrap();
    let tls = ClientTls::trusting(&path).unwrap();
    let now = OffsetDateTime::now_utc();
    tls.dated().iter().map(|dated| dated.at(now)).collect()
}

#[test]
fn a_root_is_told_thirty_days_before_its_end_and_after_it() {
    assert!(matches!(&standing(&[("A", 40)])[..], [Standing::Good(_)]));
    let soon = standing(&[("A", 20)]);
    let [Standing::Ending(told)] = &soon[..] else {
        panic!("{soon:?}");
    };
    assert!(told.contains("CN=A expires in 19 days"), "{told}");
    let over = standing(&[("A", -1)]);
    let [Standing::Over(told)] = &over[..] else {
        panic!("{over:?}");
    };
    assert!(told.contains("CN=A expired on"), "{told}");
}

#[test]
fn a_root_that_has_a_successor_is_no_worry() {
    let succeeded = standing(&[("A", -1), ("A", 400)]);
    assert!(
        matches!(&succeeded[..], [Standing::Succeeded(_), Standing::Good(_)]),
        "{succeeded:?}"
    );
    // Others may do as well, which nobody can know.
    let others = standing(&[("A", -1), ("B", 400)]);
    assert!(
        matches!(&others[..], [Standing::Ending(_), Standing::Good(_)]),
        "{others:?}"
    );
    let none = standing(&[("A", -1), ("B", -2)]);
    assert!(
        none.iter().any(|of| matches!(of, Standing::Over(_))),
        "{none:?}"
    );
}

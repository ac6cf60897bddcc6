use std::os::unix::fs::PermissionsExt;

use clap::Parser;
use flwr_core::address::Address;
use flwr_core::refusal::{Class, JoinRefusal, Refusal, Refused, Silence, Unanswered};
use flwr_security::testing::Files as TlsFiles;

use super::super::Enrolment;
use super::*;

struct Node {
    dir: tempfile::TempDir,
    key: PrivateKey,
    certificates: TlsFiles,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate().unwrap();
        key.write_openssh_pair(&dir.path().join("key"), false)
            .unwrap();
        Self {
            dir,
            key,
            certificates: TlsFiles::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn files(&self) -> Files {
        Files::beside(&self.path("key"))
    }

    fn args(&self) -> Args {
        let text = |name: &str| self.path(name).display().to_string();
        Args::parse_from([
            "flower-supernode",
            "--flwr-dir",
            &text(""),
            "--root-certificates",
            &self.certificates.path("ca.crt").display().to_string(),
            "--auth-supernode-private-key",
            &text("key"),
            "--auth-supernode-public-key",
            &text("key.pub"),
        ])
    }
}

#[test]
fn one_process_at_a_time_renews_a_key_by_whatever_name() {
    let node = Node::new();
    let way = |args: &Args| Way::of(args, &Enrolment::None).unwrap();
    let held = hold_key(&way(&node.args())).unwrap();
    symlink(node.path("key"), node.path("link")).unwrap();
    let mut linked = node.args();
    linked.auth_supernode_private_key = Some(node.path("link"));
    for args in [node.args(), linked] {
        let told = hold_key(&way(&args)).unwrap_err().to_string();
        let dir = fs::canonicalize(node.path("")).unwrap();
        assert_eq!(
            told,
            format!(
                "another `flower-supernode` is joining or renewing its key in {}: wait for it",
                dir.display()
            )
        );
    }
    drop(held);
    drop(hold_key(&way(&node.args())).unwrap());
}

#[test]
fn a_key_whose_public_half_was_not_moved_is_taken_until_the_next_renewal_moves_it() {
    let node = Node::new();
    let files = node.files();
    assert!(!is_cut_off(&node.path("key"), &node.key));
    let new = files.prepare().unwrap();
    assert!(!is_cut_off(&node.path("key"), &node.key));
    rename(&files.private, &node.path("key")).unwrap();
    let way = Way::of(&node.args(), &Enrolment::None).unwrap();
    assert_eq!(way.key.private.public_key(), new.public_key());
    assert!(is_cut_off(&node.path("key"), &way.key.private));
    rename(&files.public, &node.path("key.pub")).unwrap();
    assert!(!is_cut_off(&node.path("key"), &new));
    Way::of(&node.args(), &Enrolment::None).unwrap();
    // Another public key is still a mistake.
    node.key
        .write_openssh_pair(&node.path("other"), false)
        .unwrap();
    fs::rename(node.path("other.pub"), node.path("key.pub")).unwrap();
    Way::of(&node.args(), &Enrolment::None).unwrap_err();
}

#[test]
fn a_damaged_new_key_is_told_with_the_way_out() {
    let node = Node::new();
    fs::write(node.path("key.new"), "half").unwrap();
    let error = node.files().prepare().unwrap_err();
    let told = flwr_core::cause::chain(&error);
    assert!(told.contains("delete"), "{told}");
    assert!(told.contains("key.new"), "{told}");
}

fn refused(refusal: JoinRefusal) -> JoinError {
    let refusal = Refusal::from(refusal);
    JoinError::Refused {
        address: "superlink.example:9092".parse().unwrap(),
        refused: Refused {
            code: Some(refusal.code()),
            ..Refused::read(Class::Precondition, &refusal.to_string())
        },
    }
}

#[test]
fn the_new_key_is_kept_until_its_fate_is_known() {
    let node = Node::new();
    let new = node.files().prepare().unwrap();
    let file = node.path("key.new");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    // No answer: the next renewal has the same key.
    let address: Address = "superlink.example:9092".parse().unwrap();
    let unanswered = JoinError::Unanswered {
        address: address.clone(),
        failure: Unanswered::new(Silence::Late, "late").into(),
    };
    let error = node.files().failed(unanswered);
    assert!(matches!(error, Error::RenewalUnknown { .. }), "{error}");
    let again = node.files().prepare().unwrap();
    assert_eq!(again.public_key(), new.public_key());

    let error = node.files().failed(not_issued(&address));
    assert!(matches!(error, Error::RenewalUnknown { .. }), "{error}");
    assert!(file.exists());

    // A list decides: the person needs the key.
    let listed = JoinRefusal::ListedKey(new.public_key().to_openssh());
    let error = node.files().failed(refused(listed));
    assert!(matches!(error, Error::Listed { .. }), "{error}");
    assert!(file.exists());

    // The SuperLink does not want it: another renewal has another key.
    let error = node.files().failed(refused(JoinRefusal::Proof));
    assert!(matches!(error, Error::NotRenewed(_)), "{error}");
    assert!(!file.exists());
    let other = node.files().prepare().unwrap();
    assert_ne!(other.public_key(), new.public_key());
}

#[test]
fn what_is_kept_under_the_first_key_is_found_by_each_later_one() {
    let node = Node::new();
    let store = |args: &Args| config::store_of(args).unwrap().unwrap();
    let first = store(&node.args());
    for _ in 0..2 {
        let args = node.args();
        let way = Way::of(&args, &Enrolment::None).unwrap();
        let files = node.files();
        let new = files.prepare().unwrap();
        keep_store(&args, &way, &new);
        files
            .take_place(&node.path("key"), &node.path("key.pub"))
            .unwrap();
    }
    fs::write(first.join("kept"), "reply").unwrap();
    let last = store(&node.args());
    assert_ne!(last, first);
    assert_ne!(
        PrivateKey::from_file(&node.path("key"))
            .unwrap()
            .public_key(),
        node.key.public_key()
    );
    assert_eq!(fs::read_to_string(last.join("kept")).unwrap(), "reply");
    assert!(
        fs::read_link(&last)
            .unwrap()
            .ends_with(first.file_name().unwrap())
    );
}

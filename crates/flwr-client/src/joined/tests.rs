use std::os::unix::fs::PermissionsExt;

use flwr_security::testing::Files;
use flwr_security::tls::certificates_of;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn begin(enrolments: &Enrolments, token: JoinTokenId) -> Pending {
    match enrolments.begin(token).unwrap() {
        Begun::Pending(pending) => pending,
        Begun::Joined(joined) => panic!("{joined:?}"),
    }
}

fn join(enrolments: &Enrolments, token: JoinTokenId, node: u64) -> Joined {
    let files = Files::new();
    let pending = begin(enrolments, token);
    let enrolled = Enrolled {
        superlink: &"superlink.example:9092".parse().unwrap(),
        node: NodeId(node),
        name: "ward 7",
        authorities: &certificates_of(&files.path("ca.crt")).unwrap(),
        certificate: b"",
    };
    pending.finish(&enrolled).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_enrolment_is_remembered_and_only_its_owner_can_read_it() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    assert_eq!(enrolments.joined().unwrap(), None);
    let joined = join(&enrolments, JoinTokenId([1; 8]), u64::MAX);
    assert_eq!(enrolments.joined().unwrap(), Some(joined.clone()));
    assert_eq!(joined.node, NodeId(u64::MAX));
    assert_eq!(joined.name, "ward 7");
    assert_eq!(mode(joined.dir()), 0o700);
    assert_eq!(mode(&joined.key_file()), 0o600);
    let files = ["authorities.pem", "joined.json", "key", "key.pub"];
    assert_eq!(names(joined.dir()), files);
    assert_eq!(names(&home.path().join("supernode")), [".lock", "joined"]);
}

#[test]
fn a_second_try_with_the_same_token_has_the_same_key_and_another_token_has_another() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let key = |token| {
        let pending = begin(&enrolments, JoinTokenId([token; 8]));
        pending.key.public_key().fingerprint()
    };
    assert_eq!(key(1), key(1));
    assert_ne!(key(1), key(2));
}

#[test]
fn another_enrolment_takes_the_place_of_the_first_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let first = join(&enrolments, JoinTokenId([1; 8]), 7);
    let key = fs::read(first.key_file()).unwrap();
    // A second enrolment that is not finished leaves the first alone.
    drop(begin(&enrolments, JoinTokenId([2; 8])));
    assert_eq!(enrolments.joined().unwrap(), Some(first.clone()));
    assert_eq!(fs::read(first.key_file()).unwrap(), key);
    let second = join(&enrolments, JoinTokenId([2; 8]), 8);
    assert_eq!(enrolments.joined().unwrap(), Some(second.clone()));
    assert_ne!(fs::read(second.key_file()).unwrap(), key);
    assert_eq!(names(&home.path().join("supernode")), [".lock", "joined"]);
}

#[test]
fn damage_is_told_and_is_no_enrolment() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let joined = join(&enrolments, JoinTokenId([1; 8]), 7);
    for content in [
        "",
        "{}",
        r#"{"superlink":"a:1","node_id":"x","token_id":"1"}"#,
    ] {
        fs::write(joined.dir().join(FACTS), content).unwrap();
        let told = enrolments.joined().unwrap_err().to_string();
        assert!(
            told.contains("damaged") && told.contains("--rejoin"),
            "{told}"
        );
    }
}

#[test]
fn a_certificate_for_the_next_key_stands_behind_that_of_the_key_until_it_takes_its_place() {
    let home = tempfile::tempdir().unwrap();
    let joined = join(&Enrolments::below(home.path()), JoinTokenId([1; 8]), 7);
    let file = || fs::read_to_string(joined.certificate_file()).unwrap();
    joined.certify(b"first").unwrap();
    joined.add_certificate(b"second").unwrap();
    assert_eq!(file(), "first\nsecond");
    joined.certify(b"second").unwrap();
    assert_eq!(file(), "second");
}

#[test]
fn one_process_at_a_time_joins_and_the_next_finds_what_it_has_finished() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let token = JoinTokenId([1; 8]);
    let first = begin(&enrolments, token);
    let fingerprint = first.key.public_key().fingerprint();
    for other in [token, JoinTokenId([2; 8])] {
        let error = enrolments.begin(other).unwrap_err();
        assert!(matches!(error, MemoryError::Busy(_)), "{error}");
        assert!(error.to_string().contains("wait for it"), "{error}");
    }
    drop(first);
    assert_eq!(
        begin(&enrolments, token).key.public_key().fingerprint(),
        fingerprint
    );
    let joined = join(&enrolments, token, 7);
    assert!(joined.is_in_place());
    // A start that looked before the first had finished does not use the token again.
    let Begun::Joined(found) = enrolments.begin(token).unwrap() else {
        panic!("it joins again");
    };
    assert_eq!(found, joined);
    // A renewal of the key holds the same lock.
    let renewing = joined.hold().unwrap();
    enrolments.begin(JoinTokenId([2; 8])).unwrap_err();
    drop(renewing);
    join(&enrolments, JoinTokenId([2; 8]), 8);
    assert!(!joined.is_in_place());
}

#[test]
fn an_enrolment_that_was_cut_off_before_it_had_its_place_gets_its_place() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let dir = home.path().join("supernode");
    let token = JoinTokenId([2; 8]);
    let pending = dir.join(format!("{JOINING}{token}"));
    let finished = || {
        let begun = enrolments.begin(token).unwrap();
        let Begun::Joined(joined) = begun else {
            panic!("the token is used again");
        };
        assert_eq!(enrolments.joined().unwrap().as_ref(), Some(&joined));
        assert_eq!(names(&dir), [".lock", "joined"]);
        (joined.node, fs::read(joined.key_file()).unwrap())
    };
    // The first enrolment, and one that replaces another.
    let joined = join(&enrolments, token, 8);
    let key = fs::read(joined.key_file()).unwrap();
    fs::rename(joined.dir(), &pending).unwrap();
    assert_eq!(finished(), (NodeId(8), key.clone()));
    fs::rename(joined.dir(), dir.join("rest")).unwrap();
    join(&enrolments, JoinTokenId([1; 8]), 7);
    fs::rename(dir.join("rest"), &pending).unwrap();
    assert_eq!(finished(), (NodeId(8), key.clone()));

    // The rest of a replaced enrolment has another token's facts: a new key is made.
    let old = join(&enrolments, JoinTokenId([3; 8]), 9);
    fs::rename(old.dir(), &pending).unwrap();
    let begun = begin(&enrolments, token);
    assert!(!pending.join(FACTS).exists());
    assert_ne!(fs::read(pending.join(KEY)).unwrap(), key);
    drop(begun);
}

#[test]
fn a_memory_of_another_user_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::below(home.path());
    let joined = join(&enrolments, JoinTokenId([1; 8]), 7);
    if !geteuid().is_root() {
        // Only root can give files away.
        return;
    }
    let give = |path: &Path, user| std::os::unix::fs::chown(path, Some(user), None).unwrap();
    let folder = home.path().join("supernode");
    for path in [
        &folder,
        joined.dir(),
        &joined.key_file(),
        &joined.authorities_file(),
    ] {
        give(path, 65_534);
        for error in [
            enrolments.joined().unwrap_err(),
            enrolments.begin(JoinTokenId([1; 8])).unwrap_err(),
        ] {
            assert!(
                matches!(&error, MemoryError::OfAnother { path: named, owner: 65_534 } if named == path),
                "{error}"
            );
        }
        give(path, 0);
    }
    assert_eq!(enrolments.joined().unwrap(), Some(joined));
}

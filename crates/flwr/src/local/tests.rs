use super::*;

fn description() -> LocalFederation {
    LocalFederation {
        pid: 1,
        since: "2026-11-21T11:00:00Z".into(),
        address: "127.0.0.1:9093".into(),
        fleet_address: "127.0.0.1:9092".into(),
        root_certificates: "/ca.crt".into(),
        supernodes: 2,
        log: None,
    }
}

#[test]
fn a_description_counts_while_somebody_tends_the_federation() {
    let home = tempfile::tempdir().unwrap();
    let local = Local::at(home.path());
    assert_eq!(local.description().unwrap(), None);
    let lock = local.lock().unwrap();
    assert!(local.is_tended().unwrap());
    assert_eq!(local.description().unwrap(), None, "it only starts");
    local.describe(&description()).unwrap();
    assert_eq!(local.description().unwrap(), Some(description()));
    assert!(matches!(Local::at(home.path()).lock(), Err(Error::LocalUp)));
    // As when its process is killed.
    drop(lock);
    assert_eq!(local.description().unwrap(), None);
    // The next one starts: what was said of the last one is not said of it.
    let _lock = local.tend().unwrap();
    assert_eq!(local.description().unwrap(), None);
}

#[test]
fn it_can_be_used_as_a_federation() {
    let overrides = "server-name = 'x'".parse().unwrap();
    let chosen = chosen(&description(), &overrides, String::new()).unwrap();
    let federation = chosen.federation;
    assert_eq!(federation.address.unwrap().to_string(), "127.0.0.1:9093");
    assert_eq!(federation.root_certificates.as_deref(), Some("/ca.crt"));
    assert_eq!(federation.server_name.as_deref(), Some("x"));
}

#[test]
fn cleaning_takes_state_and_keys_away_but_not_the_packages() {
    let home = tempfile::tempdir().unwrap();
    let local = Local::at(home.path());
    for name in ["keys", "superlink", "python"] {
        fs::create_dir_all(local.directory().join(name)).unwrap();
    }
    local.clean().unwrap();
    let left: Vec<_> = fs::read_dir(local.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["python"]);
}

#[test]
fn supernodes_keep_their_keys_from_start_to_start() {
    let home = tempfile::tempdir().unwrap();
    let local = Local::at(home.path());
    let first = material::Material::make(&local, 1).unwrap();
    let key = fs::read(&first.nodes[0]).unwrap();
    let second = material::Material::make(&local, 2).unwrap();
    assert_eq!(fs::read(&second.nodes[0]).unwrap(), key);
    let list = fs::read_to_string(&second.list).unwrap();
    assert_eq!(list.trim_end().split(',').count(), 2);
    use std::os::unix::fs::PermissionsExt;
    for path in [&second.key, &second.nodes[1]] {
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

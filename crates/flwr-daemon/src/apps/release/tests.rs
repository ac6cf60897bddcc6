//! Programs of many releases, and of none.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// An environment with this package, and the program in it.
fn environment(package: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("bin")).unwrap();
    let packages = dir.path().join("lib/python3.11/site-packages");
    fs::create_dir_all(packages.join("flwr_datasets-0.5.0.dist-info")).unwrap();
    fs::create_dir_all(packages.join(package)).unwrap();
    let program = program(&dir.path().join("bin"), "#!/bin/sh\nexit 2\n");
    (dir, program)
}

fn program(dir: &Path, text: &str) -> PathBuf {
    let program = dir.join("flwr-serverapp");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn the_release_is_that_of_the_package_beside_the_program() {
    for (package, version) in [
        ("flwr-1.20.0.dist-info", Some((1, 20))),
        ("flwr-1.34.0.dist-info", Some((1, 34))),
        ("flwr-1.35.0rc1.dist-info", Some((1, 35))),
        ("flwr_nightly-1.43.0.dev20261026.dist-info", Some((1, 43))),
        ("flwr.dist-info", None),
    ] {
        let (_dir, program) = environment(package);
        assert_eq!(Program::at(program).version(), version, "{package}");
    }
}

#[test]
fn a_script_whose_package_is_elsewhere_has_its_python_asked() {
    let dir = tempfile::tempdir().unwrap();
    let packages = dir.path().join("elsewhere/flwr-1.31.0.dist-info");
    fs::create_dir_all(&packages).unwrap();
    fs::write(packages.join("METADATA"), "Name: flwr\nVersion: 1.31.0\n").unwrap();
    let found = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let real = String::from_utf8(found.unwrap().stdout).unwrap();
    let python = dir.path().join("python3");
    let text = format!(
        "#!/bin/sh\nexec env PYTHONPATH={} {} \"$@\"\n",
        dir.path().join("elsewhere").display(),
        real.trim()
    );
    fs::write(&python, text).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program(dir.path(), &format!("#!{}\n", python.display()));
    assert_eq!(Program::at(program).version(), Some((1, 31)));
}

#[test]
fn each_range_has_its_flags() {
    let of = |minor| Flags::of((1, minor));
    assert_eq!(of(8), of(13));
    assert!(!of(20).serverapp_token && of(21).serverapp_token);
    assert_eq!((of(26).home, of(27).home), (Home::Flag, Home::Variable));
    assert!(!of(30).token_file && of(31).token_file && of(34).token_file);
    assert_eq!(
        (of(35).address, of(36).address),
        (Address::ByApp, Address::Runtime)
    );
    assert!(ROWS.is_sorted_by_key(|row| row.first) && ROWS[ROWS.len() - 1].first < END);
}

#[test]
fn a_release_that_is_not_started_is_refused_with_the_ranges() {
    let (_dir, program) = environment("flwr-1.44.0.dist-info");
    let folder = program.parent().unwrap();
    let error =
        Program::found(super::super::find::find_in("flwr-serverapp", folder.as_os_str()).unwrap());
    let text = error.unwrap_err().to_string();
    for told in [
        "flwr-serverapp",
        "of flwr 1.44",
        "1.20 to 1.43",
        "pip install flwr==",
    ] {
        assert!(text.contains(told), "{text}");
    }
    assert!(!text.contains('\n'));
}

#[test]
fn a_wrapper_tells_its_flags_by_its_help() {
    let dir = tempfile::tempdir().unwrap();
    for (help, flags) in [
        (
            "--serverappio-api-address A --token T --flwr-dir D",
            Some((true, Home::Flag, false, Address::ByApp)),
        ),
        (
            "--serverappio-api-address A --run-once --flwr-dir D",
            Some((false, Home::Flag, false, Address::ByApp)),
        ),
        (
            "--clientappio-api-address A --token T",
            Some((true, Home::Variable, false, Address::ByApp)),
        ),
        (
            "[--clientappio-api-address A] (--token T | --token-file F)",
            Some((true, Home::Variable, true, Address::ByApp)),
        ),
        (
            "--runtime-api-address A --token T",
            Some((true, Home::Variable, false, Address::Runtime)),
        ),
        ("", None),
    ] {
        let wrapper = program(dir.path(), &format!("#!/bin/sh\nexec echo '{help}'\n"));
        let found = Flags::by_help(&wrapper);
        let found = found.map(|flags| {
            (
                flags.serverapp_token,
                flags.home,
                flags.token_file,
                flags.address,
            )
        });
        assert_eq!(found, flags, "{help}");
        let program = Program::at(wrapper);
        assert_eq!(program.version(), None);
        assert_eq!(
            program.flags().home,
            flags.map_or(Home::Flag, |(_, home, ..)| home)
        );
    }
}

#[test]
fn the_release_is_shown_beside_the_path() {
    let (_dir, program) = environment("flwr-1.26.1.dist-info");
    let shown = format!("{}, of flwr 1.26", program.display());
    assert_eq!(Program::at(program).shown(), shown);
}

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::error::Error;
use crate::project::App;

const PYPROJECT: &str = "[project]\nname = \"app\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"me\"\n\
    [tool.flwr.app.components]\nserverapp = \"net.server:app\"\nclientapp = \"net.client:app\"\n";

/// An app with this `.gitignore`, in `build/app` of a directory of its own.
struct Made {
    directory: tempfile::TempDir,
}

impl Made {
    fn new(gitignore: &str) -> Self {
        let made = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(made.root().join("net")).unwrap();
        for file in ["net/server.py", "net/client.py"] {
            fs::write(made.root().join(file), "app = 1\n").unwrap();
        }
        fs::write(made.root().join("pyproject.toml"), PYPROJECT).unwrap();
        fs::write(made.root().join(".gitignore"), gitignore).unwrap();
        made
    }

    fn root(&self) -> std::path::PathBuf {
        self.directory
            .path()
            .canonicalize()
            .unwrap()
            .join("build/app")
    }

    /// The error and the hint with which its bundle is refused.
    fn refused(&self) -> (String, String) {
        let error = App::load(&self.root()).unwrap().bundle().unwrap_err();
        assert!(matches!(error, Error::NotBundled { .. }), "{error}");
        assert_eq!(error.exit_code(), 2);
        let above = self.root().parent().unwrap().display().to_string();
        (
            error.chain().replace(&above, "/above"),
            error.hint().unwrap(),
        )
    }
}

#[test]
fn a_pattern_that_matches_a_directory_above_the_app_is_named() {
    let made = Made::new("*.log\nbuild/\n");
    let (error, hint) = made.refused();
    assert_eq!(
        error,
        "the bundle would lack net/server.py, the module of the app's `serverapp`: the pattern `build/` (line 2 of \
         .gitignore) matches /above: Flower matches patterns against the whole path, from the root of the file \
         system on"
    );
    assert!(hint.contains("move the app"), "{hint}");
    // What the hint says helps.
    assert!(hint.contains("`!net/`"), "{hint}");
    fs::write(made.root().join(".gitignore"), "*.log\nbuild/\n!net/\n").unwrap();
    let bundle = App::load(&made.root()).unwrap().bundle().unwrap();
    assert_eq!(bundle.fab.manifest().name, "app");
    // The app's own directory is one that a pattern may match too.
    let (error, _) = Made::new("app\n").refused();
    assert!(error.contains("matches /above/app:"), "{error}");
}

#[test]
fn a_pattern_that_matches_the_package_or_a_module_is_named() {
    for (gitignore, words) in [
        (
            "\nnet\n",
            "net/server.py, the module of the app's `serverapp`: the pattern `net` (line 2 of .gitignore) matches net",
        ),
        (
            "net/\n",
            "the pattern `net/` (line 1 of .gitignore) matches net",
        ),
        (
            "**/net/**\n",
            "the pattern `**/net/**` (line 1 of .gitignore) matches net",
        ),
        (
            "cl*.py\r\n",
            "net/client.py, the module of the app's `clientapp`: the pattern `cl*.py` (line 1 of .gitignore) matches net/client.py",
        ),
        // The last pattern that matches is the one that counts.
        (
            "*.py\n!client.py\nserver.py\n",
            "the pattern `server.py` (line 3 of .gitignore) matches net/server.py",
        ),
    ] {
        let (error, hint) = Made::new(gitignore).refused();
        assert!(error.ends_with(words), "{gitignore:?}: {error}");
        assert!(hint.contains("remove the pattern"), "{hint}");
    }
}

#[test]
fn a_package_that_is_a_link_is_named() {
    let made = Made::new("");
    let elsewhere = made.directory.path().join("elsewhere");
    fs::rename(made.root().join("net"), &elsewhere).unwrap();
    symlink(&elsewhere, made.root().join("net")).unwrap();
    let (error, hint) = made.refused();
    assert!(error.contains("net is a link to a directory"), "{error}");
    assert!(hint.contains("in the place of the link"), "{hint}");
    // A module that is a link within the app is bundled.
    fs::remove_file(made.root().join("net")).unwrap();
    fs::create_dir(made.root().join("net")).unwrap();
    fs::rename(&elsewhere, made.root().join("shared")).unwrap();
    for file in ["server.py", "client.py"] {
        let target = Path::new("../shared").join(file);
        symlink(target, made.root().join("net").join(file)).unwrap();
    }
    let bundle = App::load(&made.root()).unwrap().bundle().unwrap();
    assert_eq!(bundle.warnings, [""; 0]);
    // A `pyproject.toml` from outside is not.
    let project = made.root().join("pyproject.toml");
    let moved = made.directory.path().join("moved.toml");
    fs::rename(&project, &moved).unwrap();
    symlink(&moved, &project).unwrap();
    let app = App::load(&made.root()).unwrap();
    let error = app.bundle().unwrap_err().to_string();
    assert!(
        error.starts_with("pyproject.toml is a link to") && error.contains("outside the app"),
        "{error}"
    );
}

#[test]
fn a_package_that_cannot_be_listed_is_named() {
    let made = Made::new("");
    let package = made.root().join("net");
    let mode = |mode| fs::set_permissions(&package, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o311);
    // Root may list everything.
    if fs::read_dir(&package).is_err() {
        let (error, _) = made.refused();
        assert!(
            error.ends_with("the directory net cannot be listed"),
            "{error}"
        );
    }
    mode(0o755);
}

#[test]
fn modules_that_are_installed_elsewhere_need_not_be_in_the_bundle() {
    let made = Made::new("");
    fs::remove_dir_all(made.root().join("net")).unwrap();
    let app = App::load(&made.root()).unwrap();
    assert_eq!(app.warnings.len(), 2, "{:?}", app.warnings);
    app.bundle().unwrap();
}

#[test]
fn what_may_be_missed_in_a_bundle_is_told() {
    let made = Made::new("\u{feff}secret.py\n");
    for file in ["secret.py", "settings.TOML", "image.png"] {
        fs::write(made.root().join("net").join(file), "").unwrap();
    }
    let shared = made.directory.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("task.py"), "").unwrap();
    symlink(&shared, made.root().join("net/shared")).unwrap();
    fs::create_dir(made.directory.path().join("images")).unwrap();
    symlink("../../../images", made.root().join("net/images")).unwrap();
    let bundle = App::load(&made.root()).unwrap().bundle().unwrap();
    let mut told = bundle.warnings;
    told.sort();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("`.gitignore` begins with a UTF-8 byte order mark"));
    assert!(
        told[1].starts_with("net/settings.TOML is not in the bundle"),
        "{told:?}"
    );
    assert!(
        told[2].starts_with("net/shared is a link to a directory"),
        "{told:?}"
    );
    let (_, files) = flwr_core::fab::Fab::unpack(bundle.fab.bytes).unwrap();
    let names: Vec<_> = files.keys().map(Path::new).collect();
    let expected = ["net/client.py", "net/server.py", "pyproject.toml"];
    assert_eq!(names, expected.map(Path::new));
}

#[test]
fn a_module_that_is_imported_and_left_out_is_told() {
    let made = Made::new("data\nunused/\nhel*.py\n");
    for (file, text) in [
        (
            "net/server.py",
            "from .data import load\nfrom net import helper\napp = 1\n",
        ),
        ("net/data/__init__.py", ""),
        ("net/helper.py", ""),
        ("net/unused/x.py", ""),
    ] {
        let path = made.root().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut told = App::load(&made.root()).unwrap().bundle().unwrap().warnings;
    told.sort();
    assert_eq!(
        told,
        [
            "net/server.py imports net.data, and that is not in the bundle: the pattern `data` (line 1 of .gitignore) matches net/data",
            "net/server.py imports net.helper, and that is not in the bundle: the pattern `hel*.py` (line 3 of .gitignore) matches net/helper.py",
        ]
    );
}

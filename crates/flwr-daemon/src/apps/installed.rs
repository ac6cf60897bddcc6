//! Installs an app before its process is started. flwr's own installer takes any directory that
//! exists for a complete one. After a kill or a full disk the app would stay broken.

use std::env;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flwr_core::fab::Fab;
use flwr_core::home::flwr_home;
use flwr_security::whole_dir::{self, Found};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::Error;

/// Makes sure that the app in this bundle is installed whole, where app processes look for it: in
/// `flwr_dir`, or else in Flower's home.
///
/// # Errors
/// If the bundle is malformed, or its files cannot be written.
pub async fn install(bundle: Bytes, flwr_dir: Option<&Path>) -> Result<(), Error> {
    let home = flwr_dir.map(Path::to_owned);
    let home = home.or_else(|| flwr_home(|name| env::var_os(name)));
    // The process will say that there is no place for apps.
    let Some(home) = home else {
        return Ok(());
    };
    let installed = spawn_blocking(move || install_in(bundle, &home)).await;
    installed.map_err(|ended| Error::Bundle(ended.to_string()))?
}

fn install_in(bundle: Bytes, home: &Path) -> Result<(), Error> {
    let (fab, files) = Fab::unpack(bundle).map_err(|error| Error::Bundle(error.to_string()))?;
    let directory: PathBuf = home.join("apps").join(fab.directory_name());
    let files: Vec<_> = files.into_iter().collect();
    let shown = directory.display().to_string();
    let found = whole_dir::ensure(&directory, &files).map_err(|source| Error::Install {
        path: shown.clone(),
        source,
    })?;
    match found {
        Found::Nothing => info!("installed the app in {shown}"),
        Found::Directory { mended, changed } => {
            if !mended.is_empty() {
                warn!(
                    "the app in {shown} was installed in part: {} are whole now",
                    mended.join(", ")
                );
            }
            if !changed.is_empty() {
                warn!(
                    "{} in {shown} are not as in the app's bundle: somebody has changed them; delete the directory to have the app installed again",
                    changed.join(", ")
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use flwr_core::fab;

    use super::*;

    fn bundle() -> Fab {
        let project = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"pub\"\n\
            [tool.flwr.app.components]\nserverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n";
        let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
        fab::build(project, vec![file("mini/c.py"), file("mini/s.py")]).unwrap()
    }

    #[tokio::test]
    async fn an_app_that_is_installed_in_part_is_whole_before_its_process_starts() {
        let home = tempfile::tempdir().unwrap();
        let fab = bundle();
        let dir = home.path().join("apps").join(fab.directory_name());
        fs::create_dir_all(dir.join("mini")).unwrap();
        fs::write(dir.join("mini/c.py"), "app").unwrap();
        for _ in 0..2 {
            install(fab.bytes.clone(), Some(home.path())).await.unwrap();
            for file in ["mini/c.py", "mini/s.py"] {
                assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), "app = 1\n");
            }
            assert!(dir.join("pyproject.toml").exists() && !dir.join(".info").exists());
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    #[tokio::test]
    async fn an_app_that_cannot_be_installed_is_refused_with_the_place() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("apps"), "").unwrap();
        let refused = install(bundle().bytes, Some(home.path())).await;
        let error = refused.unwrap_err().to_string();
        let place = home.path().join("apps").display().to_string();
        assert!(error.contains(&place), "{error}");
        let refused = install(Bytes::from_static(b"no zip"), Some(home.path())).await;
        assert!(matches!(refused, Err(Error::Bundle(_))));
    }
}

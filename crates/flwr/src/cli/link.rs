//! The SuperLink of a command, and the arguments of `flwr doctor`, `flwr login` and `flwr logout`.

use std::path::{Path, PathBuf};

use clap::Args;
use flwr_core::proxy::ProxySetting;

use super::{Format, Target};

/// The SuperLink of a command that needs no app.
#[derive(Debug, Args)]
pub struct SuperLinkArgs {
    /// Name of the federation; the default one if absent.
    pub federation: Option<String>,
    /// The same, after the app's directory, which flwr 1.23 to 1.25 wants first.
    #[arg(hide = true, conflicts_with = "app")]
    pub federation_of_app: Option<String>,
    /// Directory of an app, whose federations count too.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub app: PathBuf,
    /// Override settings of the federation, in `key=value` pairs.
    #[arg(long, value_name = "PAIRS")]
    pub federation_config: Vec<String>,
    /// Connect through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none.
    ///
    /// To this machine itself there is none. If absent, `proxy` of the federation says, or else
    /// $grpc_proxy, $https_proxy or $http_proxy, but for the hosts in $no_grpc_proxy or $no_proxy.
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<ProxySetting>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

impl SuperLinkArgs {
    /// The same, as commands have it that take an app.
    #[must_use]
    pub fn target(&self) -> Target {
        let (app, federation) = match (&self.federation, &self.federation_of_app) {
            (Some(word), Some(federation)) => (word.into(), Some(federation.clone())),
            (Some(word), None) if is_app(Path::new(word)) => (word.into(), None),
            (word, _) => (self.app.clone(), word.clone()),
        };
        Target {
            app,
            federation,
            federation_config: self.federation_config.clone(),
            proxy: self.proxy.clone(),
        }
    }
}

impl Target {
    /// The target that is meant. flwr 1.25 and earlier take `APP FEDERATION`, later releases take the
    /// federation alone: a single word that is no app's directory is the federation.
    #[must_use]
    pub fn meant(&self) -> Self {
        let (app, federation) = split_words(&self.app, self.federation.as_ref());
        Self {
            app,
            federation,
            federation_config: self.federation_config.clone(),
            proxy: self.proxy.clone(),
        }
    }
}

/// The app and the federation of the words `[APP] [FEDERATION]`, or of `[FEDERATION]`.
pub(super) fn split_words(app: &Path, federation: Option<&String>) -> (PathBuf, Option<String>) {
    match (federation, app.to_str()) {
        (None, Some(word)) if !is_app(app) => (".".into(), Some(word.to_owned())),
        (federation, _) => (app.to_owned(), federation.cloned()),
    }
}

/// Whether a word is a path, or the name of a directory with an app.
fn is_app(word: &Path) -> bool {
    let mut parts = word.components();
    let is_name = matches!(
        (parts.next(), parts.next()),
        (Some(std::path::Component::Normal(name)), None) if name == word.as_os_str()
    );
    !is_name || word.join("pyproject.toml").exists()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_word_is_a_federation_unless_an_app_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("app");
        fs::create_dir(&app).unwrap();
        fs::write(app.join("pyproject.toml"), "").unwrap();
        let split = |app: &str, federation: Option<&str>| {
            let federation = federation.map(str::to_owned);
            let (app, federation) = split_words(Path::new(app), federation.as_ref());
            (app.to_str().unwrap().to_owned(), federation)
        };
        let lab = Some("lab".to_owned());
        assert_eq!(split("lab", None), (".".into(), lab.clone()));
        // Two words are an app and a federation, whatever is there.
        assert_eq!(split("app", Some("lab")), ("app".into(), lab));
        // Paths are apps, and so is the folder of this test.
        for path in [
            ".",
            "..",
            "./lab",
            "lab/",
            "apps/lab",
            app.to_str().unwrap(),
        ] {
            assert_eq!(split(path, None), (path.into(), None));
        }
        assert!(is_app(&app));
    }
}

/// `flwr doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 everything works, 1 something does not.

Examples:
  flwr doctor                       the default federation
  flwr doctor hospital              one of `flwr federation list`
  flwr doctor --format json | jq '.findings[] | select(.outcome == \"failed\")'")]
pub struct DoctorArgs {
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
}

/// `flwr login`
#[derive(Debug, Args)]
#[command(after_help = "\
The federation has `enable-user-auth = true`. The tokens are kept, for you alone, in `.flwr` of the
app, or in Flower's home directory for federations of `flwr federation list`.")]
pub struct LoginArgs {
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
}

/// `flwr logout`
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
}

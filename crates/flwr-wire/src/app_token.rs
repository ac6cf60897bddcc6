//! The token of an app in the metadata of its calls.

use std::fmt;

use http::HeaderMap;

/// Apps of flwr 1.29 have their token in the body of some calls too (flwr 1.29 wire).
const APP_TOKEN: &str = "flwr-app-token";
/// Apps that are tasks have their token nowhere else (flwr 1.30 to 1.34 wire).
const TASK_TOKEN: &str = "flwr-task-token";

/// The token in the metadata of a call.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum AppToken {
    /// The token of a run's app.
    App(String),
    /// The token of a task.
    Task(String),
}

impl AppToken {
    /// Takes the token from the metadata of a call. `None`: there is none.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let task = text(TASK_TOKEN).map(Self::Task);
        task.or_else(|| text(APP_TOKEN).map(Self::App))
    }

    /// Whether the caller is a task.
    pub(crate) const fn is_of_task(&self) -> bool {
        matches!(self, Self::Task(_))
    }

    /// The token itself.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::App(token) | Self::Task(token) => token,
        }
    }
}

/// Does not show the token.
impl fmt::Debug for AppToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App(_) => "App(…)",
            Self::Task(_) => "Task(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Option<AppToken> {
        let headers = headers.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        AppToken::read(&headers.collect())
    }

    #[test]
    fn a_token_is_read_by_the_name_of_its_metadata() {
        let token = read(&[("flwr-app-token", "secret")]).unwrap();
        assert_eq!((token.as_str(), token.is_of_task()), ("secret", false));
        assert_eq!(format!("{token:?}"), "App(…)");
        let both = [("flwr-app-token", "other"), ("flwr-task-token", "secret")];
        let token = read(&both).unwrap();
        assert_eq!((token.as_str(), token.is_of_task()), ("secret", true));
        assert_eq!(format!("{token:?}"), "Task(…)");
        assert_eq!(read(&[("flwr-component-name", "flwr-serverapp")]), None);
    }
}

//! Which proxy leads to a host.
//!
//! A flag, or a key of a file, comes first; then the environment. gRPC's order of variables
//! (gRPC core, as in flwr 1.8 to 1.22) is `grpc_proxy`, `https_proxy`, `http_proxy`, and for the
//! exceptions `no_grpc_proxy`, `no_proxy`: the first that is set counts, and an empty one says that
//! there is no proxy. HTTPS uses `https_proxy` and `no_proxy`. Each variable may also be written in
//! capitals, as curl and Python allow.
//!
//! No proxy leads to this machine itself.

use flwr_core::address::Address;
use flwr_core::proxy::ProxySetting;

use super::exceptions::Exceptions;
use super::{InvalidProxy, Proxy, Route};

/// What goes through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// gRPC, with TLS or without.
    Grpc,
    /// HTTPS.
    Https,
}

/// A proxy of the environment that is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; connections are made without a proxy")]
pub struct Warning(InvalidProxy);

/// Which proxy leads where.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    proxy: Option<Proxy>,
    exceptions: Exceptions,
    warning: Option<Warning>,
}

impl Traffic {
    const fn proxies(self) -> &'static [&'static str] {
        match self {
            Self::Grpc => &["grpc_proxy", "https_proxy", "http_proxy"],
            Self::Https => &["https_proxy"],
        }
    }

    const fn exceptions(self) -> &'static [&'static str] {
        match self {
            Self::Grpc => &["no_grpc_proxy", "no_proxy"],
            Self::Https => &["no_proxy"],
        }
    }
}

impl Proxies {
    /// What `setting` says, or else the environment: `variable` gives the value of an environment
    /// variable.
    ///
    /// # Errors
    /// If the setting is neither a proxy's URL nor `none`.
    pub fn new(
        setting: Option<&ProxySetting>,
        traffic: Traffic,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidProxy> {
        match setting {
            Some(setting) if setting.is_none() => Ok(Self::default()),
            Some(setting) => Ok(Self {
                proxy: Some(Proxy::parse(setting.reveal(), setting.origin())?),
                ..Self::default()
            }),
            None => Ok(Self::of_environment(traffic, variable)),
        }
    }

    /// A URL that cannot be used is a warning: pip's peers go on without a proxy then, and so must
    /// a machine that works with them.
    fn of_environment(traffic: Traffic, variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|&name| {
                let upper = name.to_ascii_uppercase();
                let lower = variable(name).map(|value| (name.to_owned(), value));
                lower.or_else(|| Some((upper.clone(), variable(&upper)?)))
            })
        };
        let mut proxies = Self::default();
        let named = first(traffic.proxies()).filter(|(_, url)| !url.trim().is_empty());
        if let Some((name, url)) = named {
            match Proxy::parse(&url, &name) {
                Ok(proxy) => proxies.proxy = Some(proxy),
                Err(invalid) => proxies.warning = Some(Warning(invalid)),
            }
        }
        if let Some((_, list)) = first(traffic.exceptions()) {
            proxies.exceptions = Exceptions::parse(&list);
        }
        proxies
    }

    /// What the operator should know of the way to a host.
    #[must_use]
    pub fn warning(&self, host: &str, port: u16) -> Option<&Warning> {
        let warning = self.warning.as_ref();
        warning.filter(|_| self.are_for(host, port))
    }

    /// The way to a host.
    #[must_use]
    pub fn route(&self, host: &str, port: u16) -> Route {
        match &self.proxy {
            Some(proxy) if self.are_for(host, port) => Route::Through(proxy.clone()),
            _ => Route::Direct,
        }
    }

    /// Whether a host is neither this machine nor among the exceptions.
    fn are_for(&self, host: &str, port: u16) -> bool {
        let address = Address {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        };
        let is_here = address.is_loopback() || address.is_unspecified();
        !is_here && !self.exceptions.contain(host, port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPERLINK: &str = "superlink.example";

    /// The way to the SuperLink with these variables.
    fn route(traffic: Traffic, set: &[(&str, &str)]) -> Route {
        let variable = |name: &str| {
            let value = set.iter().find(|(set, _)| *set == name)?.1;
            Some(value.to_owned())
        };
        let proxies = Proxies::new(None, traffic, variable).unwrap();
        assert_eq!(proxies.route("localhost", 9092), Route::Direct);
        assert_eq!(proxies.route("127.0.0.2", 9092), Route::Direct);
        assert_eq!(proxies.route("[::1]", 9092), Route::Direct);
        assert_eq!(proxies.route("0.0.0.0", 9092), Route::Direct);
        proxies.route(SUPERLINK, 9092)
    }

    fn through(route: &Route) -> String {
        route.to_string()
    }

    #[test]
    fn variables_are_looked_at_in_grpcs_order_and_in_both_cases() {
        let grpc = |set: &[(&str, &str)]| through(&route(Traffic::Grpc, set));
        let all = [
            ("http_proxy", "http://h:1"),
            ("https_proxy", "http://s:1"),
            ("grpc_proxy", "http://g:1"),
        ];
        assert_eq!(grpc(&all), "through proxy http://g:1 (grpc_proxy)");
        assert_eq!(grpc(&all[..2]), "through proxy http://s:1 (https_proxy)");
        assert_eq!(grpc(&all[..1]), "through proxy http://h:1 (http_proxy)");
        assert_eq!(grpc(&[]), "directly");
        let upper = [("HTTPS_PROXY", "http://u:1"), ("https_proxy", "http://l:1")];
        assert_eq!(grpc(&upper), "through proxy http://l:1 (https_proxy)");
        assert_eq!(grpc(&upper[..1]), "through proxy http://u:1 (HTTPS_PROXY)");
        let empty = [("grpc_proxy", ""), ("https_proxy", "http://s:1")];
        assert_eq!(grpc(&empty), "directly");
    }

    #[test]
    fn https_uses_its_own_variable() {
        let https = |set: &[(&str, &str)]| through(&route(Traffic::Https, set));
        let all = [("grpc_proxy", "http://g:1"), ("http_proxy", "http://h:1")];
        assert_eq!(https(&all), "directly");
        let own = [("https_proxy", "http://s:1"), ("no_grpc_proxy", "*")];
        assert_eq!(https(&own), "through proxy http://s:1 (https_proxy)");
    }

    #[test]
    fn exceptions_are_for_grpc_first() {
        let with = |set: &[(&'static str, &'static str)]| {
            let set = [set, &[("https_proxy", "http://p:1")]].concat();
            through(&route(Traffic::Grpc, &set))
        };
        assert_eq!(with(&[("no_proxy", ".example")]), "directly");
        assert_eq!(with(&[("NO_PROXY", ".example")]), "directly");
        assert_eq!(with(&[("no_grpc_proxy", SUPERLINK)]), "directly");
        let both = [("no_grpc_proxy", "other"), ("no_proxy", ".example")];
        assert_eq!(with(&both), "through proxy http://p:1 (https_proxy)");
    }

    #[test]
    fn a_setting_wins_over_the_environment_but_leads_nowhere_on_this_machine() {
        let variable = |name: &str| match name {
            "https_proxy" => Some("http://p:1".to_owned()),
            "no_proxy" => Some("*".to_owned()),
            _ => None,
        };
        let set = |text: &str| {
            let setting = text.parse::<ProxySetting>().unwrap();
            Proxies::new(Some(&setting), Traffic::Grpc, variable)
        };
        let none = set("none").unwrap().route(SUPERLINK, 9092);
        assert_eq!(none, Route::Direct);
        let proxies = set("http://u:secret@q:1").unwrap();
        let way = proxies.route(SUPERLINK, 9092);
        assert_eq!(through(&way), "through proxy http://q:1 (--proxy)");
        assert_eq!(proxies.route("127.0.0.1", 9092), Route::Direct);
        assert!(!format!("{proxies:?}").contains("secret"));
        assert!(set("socks5://p:1").is_err());
        let setting: ProxySetting = "http://u:secret@q:1".parse().unwrap();
        assert!(!format!("{setting:?}").contains("secret"));
    }

    #[test]
    fn a_variable_that_names_no_http_proxy_is_a_warning() {
        let variable = |name: &str| (name == "https_proxy").then(|| "socks5://p:1".to_owned());
        let proxies = Proxies::new(None, Traffic::Grpc, variable).unwrap();
        assert_eq!(proxies.route(SUPERLINK, 9092), Route::Direct);
        assert_eq!(proxies.warning("localhost", 9092), None);
        let warning = proxies.warning(SUPERLINK, 9092).unwrap().to_string();
        assert!(
            warning.starts_with("https_proxy: socks5:// proxies"),
            "{warning}"
        );
        assert!(warning.ends_with("made without a proxy"), "{warning}");
    }
}

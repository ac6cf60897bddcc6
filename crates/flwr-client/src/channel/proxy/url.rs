//! The URL of a proxy: `http://[USER:PASSWORD@]HOST[:PORT]`.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flwr_core::address::Address;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// The port of `http://`.
const HTTP: u16 = 80;

/// An HTTP proxy. Cheap to clone. Its login is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    address: Address,
    /// The value of `Proxy-Authorization`.
    login: Option<HeaderValue>,
    /// The flag, key or variable that names the proxy.
    origin: String,
}

/// Why a text is no URL of a proxy. The text is not repeated: there may be a password in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidProxy {
    /// A proxy of another kind.
    #[error(
        "{origin}: {scheme}:// proxies are not supported: give the URL of an HTTP proxy, http://HOST:PORT"
    )]
    Scheme {
        /// The flag, key or variable.
        origin: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// No URL, or not of a proxy.
    #[error(
        "{origin}: it is not the URL of a proxy: http://HOST:PORT is expected, or http://USER:PASSWORD@HOST:PORT with %40 for @ and %3A for : in user and password"
    )]
    Url {
        /// The flag, key or variable.
        origin: String,
    },
}

impl Proxy {
    /// Reads a URL; `origin` is the flag, key or variable that it stands in.
    ///
    /// # Errors
    /// If it is none, or of another kind of proxy.
    pub fn parse(text: &str, origin: &str) -> Result<Self, InvalidProxy> {
        let invalid = || InvalidProxy::Url {
            origin: origin.to_owned(),
        };
        let text = text.trim();
        // As curl and Python read it, a bare HOST:PORT is an HTTP proxy.
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_name = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(match is_name(scheme) {
                true => InvalidProxy::Scheme {
                    origin: origin.to_owned(),
                    scheme: scheme.to_owned(),
                },
                false => invalid(),
            });
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let address = address(place).ok_or_else(invalid)?;
        let login = login.map(basic).transpose().map_err(|()| invalid())?;
        Ok(Self(Arc::new(Inner {
            address,
            login,
            origin: origin.to_owned(),
        })))
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// The value of `Proxy-Authorization`.
    pub(super) fn login(&self) -> Option<&HeaderValue> {
        self.0.login.as_ref()
    }
}

fn address(place: &str) -> Option<Address> {
    let has_port = !place.ends_with(']') && place.contains(':');
    let address = match has_port {
        true => place.parse::<Address>(),
        false => format!("{place}:{HTTP}").parse(),
    };
    address.ok().filter(|address| address.port != 0)
}

/// `Basic` with user and password (RFC 7617).
fn basic(login: &str) -> Result<HeaderValue, ()> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    let login = [&decoded(user)[..], b":", &decoded(password)].concat();
    let value = format!("Basic {}", STANDARD.encode(login));
    let mut value = HeaderValue::try_from(value).map_err(drop)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            address, origin, ..
        } = &*self.0;
        write!(f, "proxy http://{address} ({origin})")
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Proxy {
        Proxy::parse(text, "--proxy").unwrap()
    }

    #[test]
    fn urls_are_read_as_curl_and_grpc_read_them() {
        for (text, address) in [
            ("http://proxy.example:3128", "proxy.example:3128"),
            ("HTTP://proxy.example:3128/", "proxy.example:3128"),
            (" http://proxy.example ", "proxy.example:80"),
            ("proxy.example:3128", "proxy.example:3128"),
            ("proxy.example", "proxy.example:80"),
            ("http://[2001:db8::1]:3128", "[2001:db8::1]:3128"),
            ("http://[2001:db8::1]", "[2001:db8::1]:80"),
        ] {
            assert_eq!(parsed(text).address().to_string(), address, "{text}");
            assert_eq!(parsed(text).login(), None, "{text}");
        }
    }

    #[test]
    fn a_login_is_decoded_and_never_shown() {
        for (text, login) in [
            ("http://Aladdin:open%20sesame@p:1", "Aladdin:open sesame"),
            ("http://a%40b:p%3A%2F@p:1", "a@b:p:/"),
            ("http://a@b:c:d@p:1", "a@b:c:d"),
            ("http://user@p:1", "user:"),
        ] {
            let proxy = parsed(text);
            let expected = format!("Basic {}", STANDARD.encode(login));
            assert_eq!(proxy.login().unwrap(), &expected, "{text}");
            assert_eq!(proxy.to_string(), "proxy http://p:1 (--proxy)");
            assert_eq!(format!("{proxy:?}"), "Proxy(proxy http://p:1 (--proxy))");
            assert!(proxy.login().unwrap().is_sensitive());
        }
    }

    #[test]
    fn what_is_no_url_of_an_http_proxy_says_so_without_the_password() {
        for text in [
            "",
            "http://",
            "http://u:secret@",
            "http://p:http",
            "http://u:secret@p:0",
        ] {
            let error = Proxy::parse(text, "https_proxy").unwrap_err().to_string();
            assert!(
                error.starts_with("https_proxy: it is not the URL"),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
        for scheme in ["https", "socks5", "socks5h"] {
            let text = format!("{scheme}://u:secret@p:1");
            let error = Proxy::parse(&text, "http_proxy").unwrap_err().to_string();
            let expected = format!("http_proxy: {scheme}:// proxies are not supported");
            assert!(error.starts_with(&expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_proxy_or_not(text in ".*") {
            let _ = Proxy::parse(&text, "x");
        }
    }
}

//! One request over HTTPS: HTTP/1.1, our own trust, bounded in time and size, no redirects, through
//! a proxy where there is one.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::ServerName;
use thiserror::Error as ThisError;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Error, PATIENCE};
use flwr_client::channel::{Io, Proxies, Route};
use flwr_security::tls::{ClientTls, explain};

/// Longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;
/// How long one address of a host is tried.
const ONE_ADDRESS: Duration = Duration::from_secs(3);
/// Port of HTTPS.
const HTTPS: u16 = 443;
/// What `application/x-www-form-urlencoded` leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// Where something is on the web: https, a host, no user and no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    host: String,
    port: u16,
    path: String,
}

/// Not a place on the web that is believed.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{0:?} is not an https:// URL")]
pub struct InvalidUrl(pub String);

/// Asks over HTTPS.
#[derive(Clone, Debug)]
pub(super) struct Web {
    tls: ClientTls,
    proxies: Proxies,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = || InvalidUrl(text.chars().take(200).collect());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let authority = uri.authority().ok_or_else(invalid)?;
        let good = uri.scheme_str() == Some("https")
            && !authority.as_str().contains('@')
            && !text.contains('#');
        if !good || authority.host().is_empty() {
            return Err(invalid());
        }
        Ok(Self {
            text: text.to_owned(),
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(HTTPS),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }
}

impl Url {
    /// Host and port, for people.
    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({})", self.text)
    }
}

impl Web {
    pub(super) const fn new(tls: ClientTls, proxies: Proxies) -> Self {
        Self { tls, proxies }
    }

    /// What the operator should know of the way to a place.
    pub(super) fn proxy_warning(&self, url: &Url) -> Option<String> {
        let warning = self.proxies.warning(&url.host, url.port);
        warning.map(ToString::to_string)
    }

    /// The way to a place.
    pub(super) fn route(&self, url: &Url) -> Route {
        self.proxies.route(&url.host, url.port)
    }

    pub(super) const fn trust(&self) -> &ClientTls {
        &self.tls
    }

    /// What is there.
    pub(super) async fn get(&self, url: &Url) -> Result<Answer, Error> {
        self.send(url, Request::get(&url.path), String::new()).await
    }

    /// What is answered to a form, sent with this `Authorization` if there is one.
    pub(super) async fn post(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<Answer, Error> {
        let mut request = Request::post(&url.path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.send(url, request, form(fields)).await
    }

    async fn send(
        &self,
        url: &Url,
        request: http::request::Builder,
        body: String,
    ) -> Result<Answer, Error> {
        let host = match url.port {
            HTTPS => url.host.clone(),
            _ => url.place(),
        };
        let request = request
            .header(header::HOST, host)
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(url, error))?;
        let exchange = async {
            let connection = self.connect(url).await?;
            exchange(url, connection, request).await
        };
        let answer = timeout(PATIENCE, exchange).await;
        answer.unwrap_or_else(|_| Err(Error::Late(url.place())))
    }

    async fn connect(&self, url: &Url) -> Result<TlsStream<Box<dyn Io>>, Error> {
        let unreachable = |source| Error::Unreachable {
            host: url.place(),
            source,
        };
        let host = url.host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| unreachable(io::Error::other(error)))?;
        let line: Box<dyn Io> = match self.route(url) {
            Route::Direct => Box::new(reach(host, url.port).await.map_err(unreachable)?),
            Route::Through(proxy) => Box::new(proxy.tunnel(host, url.port).await?),
        };
        let connected = TlsConnector::from(self.tls.http_config())
            .connect(name, line)
            .await;
        connected.map_err(|error| Error::Tls {
            host: url.place(),
            reason: explain(&error),
        })
    }
}

/// Tries each address of a host for a while: of two that it has, one may be a dead end.
async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("its name has no address");
    for address in lookup_host((host, port)).await? {
        match timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn exchange(
    url: &Url,
    connection: TlsStream<Box<dyn Io>>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Error> {
    let handshake = http1::handshake(TokioIo::new(connection)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(url, error))?;
    let answer = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| broken(url, error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| broken(url, error))?.to_bytes();
        Ok(Answer { status, body })
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection has ended; what came over it is still to be read.
        _ = connection => answer.await,
    }
}

fn broken(url: &Url, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Broken {
        host: url.place(),
        source: error.into(),
    }
}

/// A value, as it stands in a form.
pub(super) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, FORM).to_string()
}

fn form(fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    fields.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded() {
        let fields = [("scope", "openid email"), ("device_code", "a/1+=&é")];
        assert_eq!(
            form(&fields),
            "scope=openid%20email&device_code=a%2F1%2B%3D%26%C3%A9"
        );
    }

    #[test]
    fn only_https_is_a_place_that_is_believed() {
        let url: Url = "https://idp.example.org:8443/realms/a?b=c".parse().unwrap();
        assert_eq!(url.place(), "idp.example.org:8443");
        assert_eq!(url.path, "/realms/a?b=c");
        for wrong in [
            "",
            "idp.example.org",
            "http://idp.example.org",
            "https://",
            "https://alice@idp.example.org",
            "https://idp.example.org/#a",
            "ftp://idp.example.org",
        ] {
            assert!(wrong.parse::<Url>().is_err(), "{wrong}");
        }
    }
}

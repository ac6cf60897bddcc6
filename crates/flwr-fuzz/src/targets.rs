//! The targets, by who gives the bytes.

mod channel;
mod core;
mod disk;
mod doors;
mod records;
mod security;

use crate::Target;

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "fab",
        what: "FABs of users and SuperLinks",
        run: core::fab,
        seeds: core::fab_seeds,
    },
    Target {
        name: "object",
        what: "heads of objects",
        run: core::object,
        seeds: core::object_seeds,
    },
    Target {
        name: "message",
        what: "messages and object trees",
        run: core::message,
        seeds: core::message_seeds,
    },
    Target {
        name: "record",
        what: "records put together from objects, for older peers",
        run: records::inflate,
        seeds: records::seeds,
    },
    Target {
        name: "config",
        what: "run and node configuration, pyproject.toml",
        run: core::config,
        seeds: core::config_seeds,
    },
    Target {
        name: "text",
        what: "addresses, times, answers of a SuperLink, notifications of another",
        run: core::text,
        seeds: core::text_seeds,
    },
    Target {
        name: "keys",
        what: "key files and join tokens",
        run: security::keys,
        seeds: security::key_seeds,
    },
    Target {
        name: "lists",
        what: "lists of keys and of clients",
        run: security::lists,
        seeds: security::list_seeds,
    },
    Target {
        name: "signature",
        what: "the headers of a signed call",
        run: security::signature,
        seeds: security::signature_seeds,
    },
    Target {
        name: "certificate",
        what: "certificates of peers, also in legacy forms",
        run: security::certificate,
        seeds: security::certificate_seeds,
    },
    Target {
        name: "tls",
        what: "files for TLS: certificates, keys, CRLs, requests",
        run: security::tls,
        seeds: security::tls_seeds,
    },
    Target {
        name: "token",
        what: "key sets and tokens of an OpenID provider",
        run: security::token,
        seeds: security::token_seeds,
    },
    Target {
        name: "files",
        what: "configuration files of daemons, the accounts file",
        run: disk::files,
        seeds: disk::file_seeds,
    },
    Target {
        name: "outbox",
        what: "kept replies, Contexts, messages and configurations",
        run: disk::kept,
        seeds: disk::kept_seeds,
    },
    Target {
        name: "fleet",
        what: "calls of nodes, all generations; timeouts; shared secrets",
        run: doors::fleet,
        seeds: doors::fleet_seeds,
    },
    Target {
        name: "runtime",
        what: "calls of ServerApps, all generations",
        run: doors::runtime,
        seeds: doors::runtime_seeds,
    },
    Target {
        name: "control",
        what: "calls of people",
        run: doors::control,
        seeds: doors::control_seeds,
    },
    Target {
        name: "packet",
        what: "packets of app processes over the native channel",
        run: channel::packet,
        seeds: channel::packet_seeds,
    },
    Target {
        name: "content",
        what: "where a message of an object has its content",
        run: channel::content,
        seeds: channel::content_seeds,
    },
];

/// Texts as inputs.
fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

//! How the ports are spoken to: the flags about TLS, on this side and on the clients'.

use std::path::PathBuf;

use flwr_security::tls::{ClientCa, Identity, ServerFiles, ServerTls, TlsError};

use super::{ConfigError, Transport, joining};
use crate::args::{Args, ClientAuth};

/// The transport, and what the operator should know of it.
pub(super) fn transport(args: &Args) -> Result<(Transport, Vec<String>), ConfigError> {
    let own = [
        ("--ssl-ca-certfile", &args.ssl_ca_certfile),
        ("--ssl-certfile", &args.ssl_certfile),
        ("--ssl-keyfile", &args.ssl_keyfile),
    ];
    if args.insecure {
        return plaintext(args, &own);
    }
    let [Some(ca), Some(certificate), Some(key)] = own.map(|(_, file)| file.clone()) else {
        let given = own.iter().find(|(_, file)| file.is_some());
        let missing = own.iter().find(|(_, file)| file.is_none());
        return Err(match (given, missing) {
            (Some((given, _)), Some((missing, _))) => ConfigError::IncompleteTls { given, missing },
            _ => ConfigError::NoTransport,
        });
    };
    let files = ServerFiles {
        ca,
        identity: Identity { certificate, key },
        clients: clients(args)?,
        people: people(args)?,
        nodes: joining::node_ca(args),
        legacy: args.ssl_allow_legacy_certificates,
        // Whoever joins by a token knows the hash of the authority alone.
        shows_authority: args.enable_supernode_auth,
    };
    let tls = ServerTls::load(files).map_err(|source| wrong(args, source))?;
    let warnings = tls.warnings();
    Ok((Transport::Tls(tls), warnings))
}

/// The error, by the flag that its file was given with.
fn wrong(args: &Args, source: TlsError) -> ConfigError {
    let flags = [
        ("--ssl-ca-certfile", &args.ssl_ca_certfile),
        ("--ssl-certfile", &args.ssl_certfile),
        ("--ssl-keyfile", &args.ssl_keyfile),
        ("--ssl-client-ca-certfile", &args.ssl_client_ca_certfile),
        ("--ssl-client-crl-file", &args.ssl_client_crl_file),
        (
            "--ssl-control-client-ca-certfile",
            &args.ssl_control_client_ca_certfile,
        ),
        (
            "--ssl-control-client-crl-file",
            &args.ssl_control_client_crl_file,
        ),
        (joining::CERTIFICATE, &args.joining.node_ca_certfile),
    ];
    let given = |file: &Option<PathBuf>| file.is_some() && file.as_deref() == source.file();
    // The same file may be given as the CA of others too.
    let flag = match &source {
        TlsError::NodeCa { .. } => flags.last(),
        _ => flags.iter().find(|(_, file)| given(file)),
    };
    ConfigError::Tls {
        flag: flag.map_or("the --ssl-... flags", |(flag, _)| flag),
        source,
    }
}

fn plaintext(
    args: &Args,
    own: &[(&'static str, &Option<PathBuf>)],
) -> Result<(Transport, Vec<String>), ConfigError> {
    let needs_tls = [
        ("--serverappio-tls", args.appio.serverappio_tls),
        (
            "--ssl-client-allow-list",
            args.ssl_client_allow_list.is_some(),
        ),
        (
            "--ssl-control-client-ca-certfile",
            args.ssl_control_client_ca_certfile.is_some(),
        ),
        (
            "--ssl-control-client-allow-list",
            args.ssl_control_client_allow_list.is_some(),
        ),
    ];
    let flags = needs_tls.iter().filter(|(_, given)| *given);
    let mut flags = flags.map(|(flag, _)| *flag).chain(joining::given(args));
    if let Some(flag) = flags.next() {
        return Err(ConfigError::NeedsTls(flag));
    }
    let clients = ("--ssl-client-ca-certfile", &args.ssl_client_ca_certfile);
    let given = own.iter().chain([&clients]);
    let given = given.filter(|(_, file)| file.is_some());
    let ignored = given.map(|(flag, _)| format!("{flag} is ignored with --insecure"));
    let told = "--insecure: Fleet and Control are served without TLS".to_owned();
    Ok((
        Transport::Plaintext,
        [told].into_iter().chain(ignored).collect(),
    ))
}

fn clients(args: &Args) -> Result<Option<ClientCa>, ConfigError> {
    let crl = args.ssl_client_crl_file.clone();
    if let Some(ca) = args.ssl_client_ca_certfile.clone() {
        return Ok(Some(ClientCa { ca, crl }));
    }
    let idle = [
        ("--ssl-client-crl-file", crl.is_some()),
        (
            "--ssl-client-allow-list",
            args.ssl_client_allow_list.is_some(),
        ),
        (
            "--control-client-auth none",
            args.control_client_auth == ClientAuth::None,
        ),
    ];
    match idle.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(ConfigError::NobodyAsked(flag)),
        None => Ok(None),
    }
}

/// The CA of people, where they have a CA of their own.
fn people(args: &Args) -> Result<Option<ClientCa>, ConfigError> {
    let has_list = args.ssl_control_client_allow_list.is_some();
    let crl = args.ssl_control_client_crl_file.clone();
    let own = [
        (
            "--ssl-control-client-ca-certfile",
            args.ssl_control_client_ca_certfile.is_some(),
        ),
        ("--ssl-control-client-crl-file", crl.is_some()),
        ("--ssl-control-client-allow-list", has_list),
    ];
    let given = own.iter().find(|(_, given)| *given);
    if let (Some((flag, _)), ClientAuth::None) = (given, args.control_client_auth) {
        return Err(ConfigError::NobodyAskedOnControl(flag));
    }
    if let Some(ca) = args.ssl_control_client_ca_certfile.clone() {
        return Ok(Some(ClientCa { ca, crl }));
    }
    if crl.is_some() {
        return Err(ConfigError::ControlCrlWithoutCa);
    }
    if has_list && args.ssl_client_ca_certfile.is_none() {
        return Err(ConfigError::NobodyAsked("--ssl-control-client-allow-list"));
    }
    Ok(None)
}

//! Where the ServerApps of a SuperLink connect to that works beside others.

use super::*;

const SHARED: &str =
    "--insecure --database postgres://me@localhost/state --storage s3://models/a?region=eu";

#[test]
fn an_address_of_other_machines_needs_tls_or_leave() {
    let files = Files::new();
    let said = |flags: &str, way| {
        let line = format!("flower-superlink {SHARED} --serverappio-advertise {flags}");
        let args = Args::try_parse_from(line.split_whitespace()).unwrap();
        let shared = files.config(SHARED).unwrap();
        let advertised = advertised(&args, &shared.serverappio, way);
        advertised.map(|address| address.map(|address| address.to_string()))
    };
    let way = Some(Way::Token);
    let local = said("127.0.0.1:9191", way).unwrap();
    assert_eq!(local.as_deref(), Some("127.0.0.1:9191"));
    let allowed = said("apps.example.org:9191 --allow-plaintext-appio", way).unwrap();
    assert_eq!(allowed.as_deref(), Some("apps.example.org:9191"));
    for (flags, way, told) in [
        ("apps.example.org:9191", way, "--appio-ssl-certfile"),
        ("127.0.0.1:9191", None, "--isolation process"),
        ("127.0.0.1:9191", Some(Way::Tokenless), "give a later flwr"),
        ("apps", way, "--serverappio-advertise"),
    ] {
        let refused = said(flags, way).unwrap_err().to_string();
        assert!(refused.contains(told), "{flags}: {refused}");
    }
}

#[test]
fn what_only_several_superlinks_need_is_refused_where_there_is_one() {
    let files = Files::new();
    let alone = files.config("--insecure --serverappio-advertise 127.0.0.1:9191");
    let refused = alone.unwrap_err().to_string();
    assert!(refused.contains("--storage s3://"), "{refused}");
}

//! The paths of methods: `/flwr.proto.Fleet/PullMessages` over gRPC is `/v1/fleet/pull-messages` over
//! HTTP.

/// How the path of each method begins.
const PREFIX: &str = "/v1/";
/// The services that are called over HTTP, with their names there.
const SERVICES: [(&str, &str); 3] = [
    ("/flwr.proto.Fleet/", "fleet"),
    ("/flwr.proto.Runtime/", "runtime"),
    ("/flwr.proto.Control/", "control"),
];

/// Whether this is the path of a method over HTTP.
pub(crate) fn is_method(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// The path over HTTP of the method that has this path over gRPC. `None`: its service is not called over
/// HTTP.
#[must_use]
pub fn path_of(grpc: &str) -> Option<String> {
    let mut services = SERVICES.into_iter();
    let named = |(service, name)| Some((name, grpc.strip_prefix(service)?));
    let (service, method) = services.find_map(named)?;
    Some(format!("{PREFIX}{service}/{}", kebab(method)))
}

/// `PullMessages` as `pull-messages`. A word begins at a capital behind a small letter.
fn kebab(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 4);
    let mut is_behind_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && is_behind_small {
            kebab.push('-');
        }
        is_behind_small = letter.is_ascii_lowercase();
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_method_is_made_from_its_name() {
        for (grpc, http) in [
            (
                "/flwr.proto.Fleet/SendNodeHeartbeat",
                Some("/v1/fleet/send-node-heartbeat"),
            ),
            (
                "/flwr.proto.Control/BeginConnectorOAuth",
                Some("/v1/control/begin-connector-oauth"),
            ),
            (
                "/flwr.proto.Runtime/AcquireTask",
                Some("/v1/runtime/acquire-task"),
            ),
            ("/flwr.proto.ServerAppIo/PullTaskInput", None),
            ("/flwr.proto.Exec/StartRun", None),
        ] {
            assert_eq!(path_of(grpc).as_deref(), http, "{grpc}");
        }
        assert!(is_method("/v1/fleet/x") && !is_method("/flwr.proto.Fleet/X"));
    }
}

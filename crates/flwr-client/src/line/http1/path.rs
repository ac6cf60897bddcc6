//! Paths of methods over HTTP/1.1.

/// The services of Flower that HTTP/1.1 has, with their names there.
const SERVICES: [(&str, &str); 2] = [("Fleet", "fleet"), ("Control", "control")];

/// The path of a method that gRPC has at `/flwr.proto.<Service>/<Method>`: `/v1/<service>/<method>`.
/// `None`: HTTP/1.1 does not have the service.
pub(super) fn of(grpc: &str) -> Option<String> {
    let (service, method) = grpc.strip_prefix("/flwr.proto.")?.split_once('/')?;
    let (_, service) = SERVICES.into_iter().find(|(name, _)| *name == service)?;
    Some(format!("/v1/{service}/{}", kebab(method)))
}

/// `SendNodeHeartbeat` as `send-node-heartbeat`.
fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_has_its_name_in_small_letters() {
        for (grpc, http) in [
            (
                "/flwr.proto.Fleet/SendNodeHeartbeat",
                Some("/v1/fleet/send-node-heartbeat"),
            ),
            (
                "/flwr.proto.Control/StartRun",
                Some("/v1/control/start-run"),
            ),
            ("/flwr.proto.Exec/StartRun", None),
            ("/flower.upkeep.Upkeep/GetUsage", None),
        ] {
            assert_eq!(of(grpc).as_deref(), http);
        }
    }
}

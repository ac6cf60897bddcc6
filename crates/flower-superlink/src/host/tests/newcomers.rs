//! How many nodes come in where any key may.

use std::net::Ipv4Addr;

use super::*;
use crate::host::tests::taskins;

/// What becomes of a registration without a key, from this address.
async fn registers(host: &Host, address: Ipv4Addr) -> Code {
    let message = flwr_proto::v1_08::CreateNodeRequest {
        ping_interval: 30.0,
    };
    let path = "/flwr.proto.Fleet/CreateNode";
    let mut request = request(path, HeaderMap::new(), message.encode_to_vec().into());
    request
        .extensions_mut()
        .insert(peer((address, 50_000).into()));
    let mut door = FleetDoor::new(host.clone());
    Answered::of(door.call(request).await.unwrap()).await.code
}

#[tokio::test(start_paused = true)]
async fn an_address_registers_a_thousand_nodes_and_then_some_each_second() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let [site, other] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    let mut codes = Vec::new();
    for _ in 0..1_001 {
        codes.push(registers(&host, site).await);
    }
    assert!(codes[..1_000].iter().all(|code| *code == Code::Ok));
    assert_eq!(codes[1_000], Code::Unavailable, "pip's peers try again");
    assert_eq!(registers(&host, other).await, Code::Ok);
    assert_eq!(registers(&host, Ipv4Addr::LOCALHOST).await, Code::Ok);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(registers(&host, site).await, Code::Ok);
}

#[tokio::test]
async fn nodes_on_a_list_are_not_limited() {
    use flwr_wire::generations::v1_08_taskins::{PUBLIC_KEY_HEADER, public_key_text};
    let (host, _dir) = taskins::host().await;
    let mut headers = HeaderMap::new();
    let shown = public_key_text(taskins::key(0x11).public_key());
    headers.insert(PUBLIC_KEY_HEADER, shown.parse().unwrap());
    let message = flwr_proto::v1_08::CreateNodeRequest {
        ping_interval: 30.0,
    };
    for _ in 0..1_100 {
        let body = message.encode_to_vec().into();
        let answer = call(&host, "CreateNode", headers.clone(), body).await;
        assert_eq!(answer.code, Code::Ok);
    }
}

//! A TCP balancer before the Fleet APIs of several SuperLinks: connections go to each in turn, and past a
//! SuperLink that does not listen to the next.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

pub(crate) async fn run(ports: &[u16]) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.context("cannot listen on a free port")?;
    let port = listener.local_addr()?.port();
    crate::tell(&json!({"event": "listening", "port": port}));
    for turn in 0.. {
        let (client, _) = listener.accept().await?;
        let (before, next) = ports.split_at(turn % ports.len());
        tokio::spawn(carry(client, [next, before].concat()));
    }
    Ok(())
}

/// Carries what comes in both directions, to the first of these ports that listens.
async fn carry(mut client: TcpStream, ports: Vec<u16>) {
    for port in ports {
        let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
            continue;
        };
        // Small messages must not wait for others.
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        // An error ends both connections, as the end of either does.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    }
}

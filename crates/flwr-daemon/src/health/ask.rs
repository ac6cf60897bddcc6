//! `--health`: asks the health service of a daemon of this machine, for containers and scripts.

use std::error;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use flwr_core::address::{Address, AddressError};
use flwr_core::cause;
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// How long connection and answer may take together. Orchestrators wait longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a daemon is not healthy, or cannot be asked.
#[derive(Debug, Error)]
pub enum HealthError {
    /// No flag and no variable tells where to ask.
    #[error(
        "--health asks at --health-server-address: give HOST:PORT there, as the daemon itself has it"
    )]
    NoAddress,
    /// The address is none.
    #[error("--health-server-address")]
    Address(#[source] AddressError),
    /// Nobody answers, or not as a health service does.
    #[error(
        "no health service answers at {address}: {problem}. Look whether the daemon runs, and whether this is its --health-server-address"
    )]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        problem: String,
    },
    /// The daemon can do nothing for now.
    #[error("{0} is not serving: its log says why")]
    NotServing(Address),
}

impl HealthError {
    /// Whether the flags are at fault.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::NoAddress | Self::Address(_))
    }
}

/// Asks the health service at `--health-server-address`, and gives the address if the daemon there
/// serves.
///
/// # Errors
/// If there is no address, no answer, or another answer.
pub fn ask(address: Option<&str>) -> Result<Address, HealthError> {
    let address = address.ok_or(HealthError::NoAddress)?;
    let address = on_this_machine(address.parse().map_err(HealthError::Address)?);
    let unreachable = |problem: String| HealthError::Unreachable {
        address: address.clone(),
        problem,
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unreachable(error.to_string()))?;
    // A timeout needs the runtime's clock.
    let asked = runtime.block_on(async { timeout(PATIENCE, status(&address)).await });
    match asked {
        Ok(Ok(ServingStatus::Serving)) => Ok(address),
        Ok(Ok(_)) => Err(HealthError::NotServing(address)),
        Ok(Err(error)) => Err(unreachable(cause::chain(&*error))),
        Err(_) => Err(unreachable(format!(
            "no answer in {} s",
            PATIENCE.as_secs()
        ))),
    }
}

/// A daemon that listens on all addresses is asked on loopback.
fn on_this_machine(address: Address) -> Address {
    let host = match address.ip() {
        Some(ip) if ip.is_unspecified() && ip.is_ipv4() => Ipv4Addr::LOCALHOST.to_string(),
        Some(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        _ => address.host,
    };
    Address { host, ..address }
}

async fn status(address: &Address) -> Result<ServingStatus, Box<dyn error::Error + Send + Sync>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let mut client = HealthClient::new(endpoint.connect().await?);
    let answer = client.check(HealthCheckRequest::default()).await;
    // The message of a broken connection is `transport error`; the cause is below.
    let answer = answer.map_err(|status| match error::Error::source(&status) {
        Some(cause) => cause::chain(cause),
        None => status.message().to_owned(),
    })?;
    Ok(answer.into_inner().status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_listens_everywhere_is_asked_on_loopback() {
        for (given, asked) in [
            ("0.0.0.0:9098", "127.0.0.1:9098"),
            ("[::]:9098", "[::1]:9098"),
            ("10.0.0.7:9098", "10.0.0.7:9098"),
            ("localhost:9098", "localhost:9098"),
        ] {
            let address = on_this_machine(given.parse().unwrap());
            assert_eq!(address.to_string(), asked);
        }
    }

    #[test]
    fn what_is_no_address_is_wrong_usage_and_nobody_there_is_not() {
        let error = ask(None).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("HOST:PORT"));
        let error = ask(Some("9098")).unwrap_err();
        assert!(error.is_usage(), "{error}");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let error = ask(Some(&address)).unwrap_err();
        assert!(!error.is_usage());
        let said = error.to_string();
        assert!(
            said.contains(&address) && said.contains("refused"),
            "{said}"
        );
    }
}

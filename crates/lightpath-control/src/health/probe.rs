//! One check of one backend: at most as long as its timeout, over whatever protocol.

use std::net::{IpAddr, SocketAddr};

use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::cause::Cause;
use super::tls::{self, Connectors, TlsError};
use super::{dns, grpc, http, icmp, tcp, udp};
use crate::model::{Check, Health};

/// What is needed to make the checks of a service.
pub(super) struct Probe {
    pub(super) health: Health,
    /// Only for checks over TLS.
    connector: Option<TlsConnector>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Probe {
    /// Reads the authorities that certificates must be signed by, unless another probe has.
    pub(super) fn new(health: &Health, connectors: &mut Connectors) -> Result<Self, TlsError> {
        let connector = match &health.check {
            Check::Https(_, tls) => Some(connectors.of(&tls.trust)?),
            _ => None,
        };
        Ok(Self { health: health.clone(), connector })
    }

    /// Checks a backend, whose packets get this port.
    pub(super) async fn run(&self, address: IpAddr, port: Option<u16>) -> Result<(), Cause> {
        let timeout = self.health.timeout;
        let deadline = Instant::now() + timeout;
        // The configuration sees to it that every check but ICMP's has a port.
        let to = SocketAddr::new(address, self.health.port.or(port).unwrap_or(0));
        let outcome = timeout_at(deadline, self.ask(to, deadline)).await;
        outcome.unwrap_or(Err(Cause::TimedOut(timeout)))
    }

    async fn ask(&self, to: SocketAddr, deadline: Instant) -> Result<(), Cause> {
        match (&self.health.check, &self.connector) {
            (Check::Tcp, _) => tcp::check(to).await,
            (Check::Http(request), _) => http::check(request, to).await,
            (Check::Https(request, tls), Some(connector)) => {
                let stream = tls::encrypt(connector, request, tls, to, tcp::connect(to).await?).await?;
                http::ask(request, to, stream).await
            }
            (Check::Https(..), None) => Err(Cause::Local("it has no TLS".to_owned())),
            (Check::Grpc(service), _) => grpc::check(service, to).await,
            (Check::Dns(question), _) => dns::check(question, to, deadline).await,
            (Check::Udp(datagram), _) => udp::check(datagram, to).await,
            (Check::Icmp, _) => icmp::check(to.ip()).await,
        }
    }
}

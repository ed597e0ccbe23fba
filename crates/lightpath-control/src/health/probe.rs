//! One check of one backend: at most as long as its timeout, over whatever protocol.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::cause::{Cause, Unreachable};
use super::peer::Peer;
use super::targets::Server;
use super::tls::{self, Connectors, Speaks, TlsError};
use super::ways::Ways;
use super::{dns, grpc, http, icmp, tcp, udp};
use crate::model::{Check, Forward, Health, Service};

/// What is needed to make the checks of a service.
pub(super) struct Probe {
    pub(super) health: Health,
    /// Only for checks over TLS.
    connector: Option<TlsConnector>,
    /// Only for checks through the data plane.
    through: Option<Through>,
}

/// What is needed to check the VIP on a service's backends.
#[derive(Debug)]
struct Through {
    device: Arc<str>,
    marks: BTreeMap<Server, u32>,
    vip: IpAddr,
    /// What a backend needs, for one that does not answer.
    hint: String,
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
            Check::Https(_, tls) => Some(connectors.of(&tls.trust, Speaks::Http1)?),
            Check::Grpcs(_, tls) => Some(connectors.of(&tls.trust, Speaks::Http2)?),
            _ => None,
        };
        Ok(Self { health: health.clone(), connector, through: None })
    }

    /// The same on the way that a service's checks take.
    pub(super) fn on_its_way(self, service: &Service, ways: &Ways) -> Self {
        let through = ways.of(service).map(|(device, marks)| Through {
            device,
            marks,
            vip: service.vip,
            hint: hint(service),
        });
        Self { through, ..self }
    }

    /// Checks a backend, whose packets get this port.
    pub(super) async fn run(&self, server: Server) -> Result<(), Cause> {
        let timeout = self.health.timeout;
        let deadline = Instant::now() + timeout;
        let (address, port) = server;
        // The configuration sees to it that every check but ICMP's has a port.
        let port = self.health.port.or(port).unwrap_or(0);
        let peer = match &self.through {
            None => SocketAddr::new(address, port).into(),
            Some(through) => through.peer(server, port)?,
        };
        let outcome = timeout_at(deadline, self.ask(&peer, deadline)).await;
        let outcome = outcome.unwrap_or(Err(Cause::TimedOut(timeout)));
        match (outcome, &self.through) {
            // Who says that nobody has the port has the address.
            (Err(cause @ Cause::Unreachable(Unreachable::Port)), _) => Err(cause),
            (Err(cause @ (Cause::TimedOut(_) | Cause::Unreachable(_))), Some(through)) => {
                Err(Cause::NotThrough { cause: cause.into(), hint: through.hint.clone() })
            }
            (outcome, _) => outcome,
        }
    }

    async fn ask(&self, to: &Peer, deadline: Instant) -> Result<(), Cause> {
        match (&self.health.check, &self.connector) {
            (Check::Tcp, _) => tcp::check(to).await,
            (Check::Http(request), _) => http::check(request, to).await,
            (Check::Https(request, tls), Some(connector)) => {
                let stream = tcp::connect(to).await?;
                let stream = tls::encrypt(connector, tls, request.host.as_deref(), to, stream).await?;
                http::ask(request, to, stream).await
            }
            (Check::Grpcs(service, tls), Some(connector)) => {
                let stream = tls::encrypt(connector, tls, None, to, tcp::connect(to).await?).await?;
                grpc::ask(service, "https", to, stream).await
            }
            (Check::Https(..) | Check::Grpcs(..), None) => Err(Cause::Local("it has no TLS".to_owned())),
            (Check::Grpc(service), _) => grpc::check(service, to).await,
            (Check::Dns(question), _) => dns::check(question, to, deadline).await,
            (Check::Udp(datagram), _) => udp::check(datagram, to).await,
            (Check::Icmp, _) => icmp::check(to.address.ip()).await,
        }
    }
}

impl Through {
    fn peer(&self, server: Server, port: u16) -> Result<Peer, Cause> {
        let mark = self.marks.get(&server).copied();
        let mark = mark.ok_or_else(|| Cause::Local("the backend has no mark".to_owned()))?;
        Peer::through(&self.device, mark, SocketAddr::new(self.vip, port), server.0)
    }
}

/// What a backend needs in order to answer for a VIP.
fn hint(service: &Service) -> String {
    let vip = service.vip;
    match service.forward {
        Forward::Ipip | Forward::Gue => format!(
            "does the backend have the VIP {vip} on an interface, and take {} tunnels from this host, by a device of its kernel or by \
             lightpath decap?",
            service.forward
        ),
        _ => format!("does the backend have the VIP {vip} on an interface?"),
    }
}

//! The smoke suite: packets through a program that is loaded and not attached yet, over the live tables.
//!
//! The packet path is run twice on each, once in the kernel and once in this process on a copy of the tables. Both have to do the
//! same, byte by byte. The packets come from addresses that are nobody's (RFC 7600, section 4.8; RFC 6666), and leave no trace:
//! the program is loaded once more with counters and flows of its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, bail};
use etherparse::PacketBuilder;
use lightpath_abi::{Entry, Role};
use lightpath_core::host::{Buffer, HostTables};
use lightpath_core::wire::TCP;
use lightpath_core::{Verdict, forward};
use lightpath_dataplane::{Dataplane, TestPacket, Trial};

use super::explain::ReadOnly;

/// Actions of uapi/linux/bpf.h.
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
const XDP_REDIRECT: u32 = 4;

const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8);
/// The discard protocol's.
const CLIENT_PORT: u16 = 9;

/// What was tried and found good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    services: usize,
    forwarded: usize,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} services, {} of which send to a backend", self.services, self.forwarded)
    }
}

/// Tries a packet for each service, as if it came by an interface.
pub(super) fn run(dataplane: &Dataplane, interface: u32) -> Result<Tried> {
    let trial = dataplane.trial()?;
    let tables = dataplane.host_tables()?;
    let mut tried = Tried::default();
    for line in &dataplane.tables().entries {
        if line.tag.role() == Some(Role::Service) {
            let forwarded = try_service(&trial, &tables, line, interface)
                .with_context(|| format!("{} port {}", line.address, line.tag.ports().0))?;
            tried.services += 1;
            tried.forwarded += usize::from(forwarded);
        }
    }
    Ok(tried)
}

/// Whether a packet to a service goes on to a backend, in the kernel as here.
fn try_service(trial: &Trial, tables: &HostTables, line: &Entry, interface: u32) -> Result<bool> {
    let packet = packet_to(line)?;
    let mut here = Buffer::new(&packet);
    let read_only = ReadOnly::new(tables);
    let verdict = forward(&mut here, &read_only, tables);
    let expected = here.bytes();
    let expected_action = action(&verdict, interface);
    let outcome = trial.run(TestPacket { bytes: &packet, interface, repeat: 1 })?;
    if outcome.action != expected_action {
        bail!("the program answers {}, where {} is right", name(outcome.action), name(expected_action));
    }
    if outcome.bytes != expected {
        let at = outcome.bytes.iter().zip(expected).position(|(one, other)| one != other);
        bail!("the program makes another packet of it, from byte {} on", at.unwrap_or(expected.len()));
    }
    Ok(matches!(verdict, Verdict::Forward(_)))
}

fn action(verdict: &Verdict<'_>, interface: u32) -> u32 {
    match verdict {
        Verdict::Pass | Verdict::Defer(_) => XDP_PASS,
        Verdict::Drop(_) => XDP_DROP,
        Verdict::Reply(_) => XDP_TX,
        Verdict::Forward(forwarding) => match forwarding.egress.hop() {
            None => XDP_PASS,
            Some(hop) if hop.interface == interface => XDP_TX,
            Some(_) => XDP_REDIRECT,
        },
    }
}

fn name(action: u32) -> String {
    match action {
        XDP_DROP => "XDP_DROP".to_owned(),
        XDP_PASS => "XDP_PASS".to_owned(),
        XDP_TX => "XDP_TX".to_owned(),
        XDP_REDIRECT => "XDP_REDIRECT".to_owned(),
        other => format!("action {other}"),
    }
}

/// A packet in the middle of a flow: it opens nothing.
fn packet_to(service: &Entry) -> Result<Vec<u8>> {
    const TTL: u8 = 64;
    let port = service.tag.ports().0.max(1);
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let network = match service.address.to_ip() {
        IpAddr::V4(vip) => link.ipv4(CLIENT_V4.octets(), vip.octets(), TTL),
        IpAddr::V6(vip) => link.ipv6(CLIENT_V6.octets(), vip.octets(), TTL),
    };
    let mut packet = Vec::new();
    let payload = [0; 8];
    if service.tag.protocol() == TCP {
        network.tcp(CLIENT_PORT, port, 1, u16::MAX).ack(1).write(&mut packet, &payload)?;
    } else {
        network.udp(CLIENT_PORT, port).write(&mut packet, &payload)?;
    }
    Ok(packet)
}

//! What forwards: the floor, Lightpath, a tutorial's program, and the kernel with and without nftables.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;
use ipnet::IpNet;
use lightpath_dataplane::Pins;
use lightpath_dataplane::bench::{Attached, BuiltIn, Subject};
use lightpath_lab::{Namespace, Offload, Route};

use crate::bench::balancer::{Balancer, Configuration, Forward, LINK, NAT4, OWN};
use crate::bench::frame::{VIP4, backend, datagram};
use crate::bench::nft;

/// What forwards, held for as long as it should.
#[derive(Debug)]
pub(in crate::bench) enum Forwarder {
    /// A program on the link.
    Program { _attached: Attached, _subject: Subject },
    /// Lightpath, with its tables.
    Lightpath { _attached: Attached, _balancer: Box<Balancer> },
    /// The kernel of the namespace.
    Kernel,
}

/// The first backend.
const BACKEND: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
/// A hardware address that the other end of the link has not: its kernel counts such packets, and does no more for them.
const NOBODYS_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
/// Who is at the other end of the link, for the kernel's routes.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

impl Forwarder {
    /// A program that others are compared with.
    pub(super) fn built_in(host: &Namespace, program: BuiltIn) -> Result<(Self, Vec<u8>)> {
        let mut subject = Subject::built_in(program)?;
        let attached = host.run(|| subject.attach(LINK))??;
        Ok((Self::Program { _attached: attached, _subject: subject }, datagram(VIP4)?))
    }

    /// Lightpath.
    pub(in crate::bench) fn lightpath(host: &Namespace, forward: Forward) -> Result<(Self, Vec<u8>)> {
        let pins = Pins::new(Path::new("/sys/fs/bpf"), forward.key());
        let configuration = Configuration { forward, ..NAT4 };
        let mut balancer = Balancer::load(configuration, &pins, host.ifindex(LINK)?)?;
        let attached = host.run(|| balancer.subject.attach(LINK))??;
        Ok((Self::Lightpath { _attached: attached, _balancer: Box::new(balancer) }, datagram(VIP4)?))
    }

    /// The kernel as a router; packets are to a backend's own address.
    pub(super) fn routing(host: &Namespace) -> Result<(Self, Vec<u8>)> {
        route(host)?;
        Ok((Self::Kernel, datagram(BACKEND)?))
    }

    /// The kernel as a router that translates the service's address, by rules of nftables.
    pub(super) fn nftables(host: &Namespace) -> Result<(Self, Vec<u8>)> {
        route(host)?;
        let rules = format!(
            "table ip nat {{\n chain in {{\n  type nat hook prerouting priority dstnat;\n  ip daddr {VIP4} udp dport 80 dnat to \
             numgen inc mod 3 map {{ 0 : {}, 1 : {}, 2 : {} }}\n }}\n}}\n",
            BACKEND,
            backend(false, 2),
            backend(false, 3)
        );
        nft::load(host, &rules)?;
        Ok((Self::Kernel, datagram(VIP4)?))
    }
}

/// Has the kernel forward packets to backends, which are all behind the other end of the link.
fn route(host: &Namespace) -> Result<()> {
    host.forward_packets()?;
    host.add_address(LINK, IpNet::new(OWN.into(), 24)?)?;
    host.add_neighbour(LINK, ROUTER.into(), NOBODYS_MAC)?;
    host.add_route(&Route::to("10.1.0.0/16".parse()?).via(ROUTER.into()).dev(LINK))?;
    // Without a program of its own, a veth takes what another one's program sends only with GRO.
    host.set_offload(LINK, Offload::GenericReceive, true)?;
    Ok(())
}

//! UDP: name servers, ranges of ports, and every port.
//!
//! Datagrams without a checksum (RFC 768) are a matter of bytes: the packet tests of lightpath-testkit have them.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lightpath_lab::{Namespace, UdpFlow, UdpServer, serve_udp_echo};

use crate::common::{Bed, Family, Server, Service, TUNNELS, file, finish, ip, is_direct, number};
use crate::decap::Decap;

/// The name that every name server answers with its own number.
const NAME: &str = "who.example";
const QUESTIONS: usize = 30;

#[test]
fn nat_carries_names() {
    carries_names(&mut Bed::one_armed(3), "nat");
}

#[test]
fn nat_between_two_interfaces_carries_names() {
    carries_names(&mut Bed::two_armed(3), "nat");
}

#[test]
fn dsr_carries_names() {
    carries_names(&mut Bed::one_armed(3), "dsr");
}

/// Over either family, and for IPv6 clients of IPv4 servers and the other way round; none of the servers has a route to a client.
#[test]
fn fullnat_carries_names_in_and_across_the_families() {
    let mut bed = Bed::one_armed(3);
    for backend in &bed.backends {
        for family in ["-4", "-6"] {
            ip(&backend.ns, &format!("{family} route del default"));
        }
    }
    carries_names(&mut bed, "fullnat");
}

#[test]
fn ipip_carries_names_in_and_across_the_families() {
    carries_names(&mut Bed::one_armed(3), "ipip");
}

#[test]
fn gue_carries_names_in_and_across_the_families() {
    carries_names(&mut Bed::one_armed(3), "gue");
}

fn carries_names(bed: &mut Bed, forward: &'static str) {
    let service = |front: Family, back: Family, host| Service {
        port: "53",
        protocol: "udp",
        forward,
        ..Service::web(&format!("dns{front:?}{back:?}"), front.vip(host), &bed.addresses(back))
    };
    let mut services = Family::BOTH.map(|family| service(family, family, 53)).to_vec();
    if forward == "fullnat" || TUNNELS.contains(&forward) {
        services.extend([service(Family::V6, Family::V4, 54), service(Family::V4, Family::V6, 54)]);
    }
    if is_direct(forward) {
        for service in &services {
            bed.accept_vip(service.vip);
        }
    }
    let _tunnels = TUNNELS.contains(&forward).then(|| Decap::on_all(bed));
    let answers: Vec<String> = (1..=bed.backends.len()).map(|number| format!("192.0.2.{number}")).collect();
    let _servers: Vec<Server> = bed
        .backends
        .iter()
        .zip(&answers)
        .map(|(backend, answer)| {
            let directory = bed.scratch.join(backend.ns.name());
            fs::create_dir(&directory).unwrap();
            let mut dnsmasq = backend.ns.command("dnsmasq");
            dnsmasq.args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]);
            dnsmasq.arg(format!("--address=/{NAME}/{answer}"));
            Server::start(&mut dnsmasq, &format!("dnsmasq on {}", backend.ns.name()), &directory)
                .listens(&backend.ns, SocketAddr::new(backend.address.v4.into(), 53))
        })
        .collect();
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    for service in &services {
        let answered = dig(bed, service.vip);
        assert_eq!(answered.len(), QUESTIONS, "{answered:?}");
        let distinct: BTreeSet<&String> = answered.iter().collect();
        assert_eq!(distinct, answers.iter().collect(), "{answered:?}");

        let status = bed.balancer.status();
        let counted = status.service(&service.name);
        assert_eq!(number(&counted["packets"]), QUESTIONS as u64, "{counted}");
        let replies = if is_direct(forward) { 0 } else { QUESTIONS as u64 };
        assert_eq!(number(&counted["reply_packets"]), replies, "{counted}");
        let sessions = if forward == "fullnat" { QUESTIONS as u64 } else { 0 };
        let flows: u64 =
            (0..bed.backends.len()).map(|index| number(&status.backend(&service.name, index)["flows"])).sum();
        assert_eq!(flows, sessions, "each question has a session, and not more than one: {counted}");
    }
}

/// Asks for [`NAME`], each time from another port and only once; the answers.
fn dig(bed: &Bed, server: IpAddr) -> Vec<String> {
    let questions = bed.scratch.join("questions");
    // Each from a port of its own, so that each is a flow of its own.
    let any = if server.is_ipv4() { "0.0.0.0" } else { "::" };
    let line = |number| format!("-b {any}#{} {NAME} A", 20_000 + number);
    let lines: Vec<String> = (0..QUESTIONS).map(line).collect();
    fs::write(&questions, lines.join("\n")).unwrap();
    let mut dig = bed.client.ns.command("dig");
    dig.arg(format!("@{server}")).args(["+short", "+tries=1", "+time=5", "-f"]).arg(questions);
    let output = finish(&mut dig, Duration::from_secs(30));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    said.lines().map(str::to_owned).collect()
}

/// What is said about a port of the VIP: which service has it, and the port that its backend sees.
const PORTS: [(u16, &str, u16); 9] = [
    (1, "any", 1),
    (53, "any", 53),
    (7999, "any", 7999),
    (8000, "range", 8000),
    (8499, "range", 8499),
    (8500, "one", 8500),
    (8501, "range", 8501),
    (8999, "range", 8999),
    (9000, "any", 9000),
];
/// Where `nat` sends the service of one port instead.
const REWRITTEN: u16 = 5000;

#[test]
fn nat_prefers_one_port_to_a_range_and_a_range_to_any() {
    prefers_the_narrower(&mut Bed::one_armed(3), "nat");
}

#[test]
fn dsr_prefers_one_port_to_a_range_and_a_range_to_any() {
    prefers_the_narrower(&mut Bed::one_armed(3), "dsr");
}

/// Each of three services on one VIP has a backend of its own, and all backends serve all ports: who answers shows the service.
fn prefers_the_narrower(bed: &mut Bed, forward: &'static str) {
    let names = ["one", "range", "any"];
    let mut services = Vec::new();
    let mut servers = Vec::new();
    for family in Family::BOTH {
        let vip = family.vip(10);
        if forward == "dsr" {
            bed.accept_vip(vip);
        }
        for ((backend, name), port) in
            bed.backends.iter().zip(names).zip(["8500", "\"8000-8999\"", "\"any\""])
        {
            let address = family.of(backend.address);
            let service = Service::web(&format!("{name}{family:?}"), vip, &[address]);
            let mut service = Service { port, protocol: "udp", forward, ..service };
            if forward == "nat" && name == "one" {
                service.backends[0].more = "port = 5000";
            }
            services.push(service);
            let served = if forward == "dsr" { vip } else { address };
            servers.extend(serve_all_ports(&backend.ns, served, name));
        }
    }
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    for family in Family::BOTH {
        for (port, service, seen) in PORTS {
            let to = SocketAddr::new(family.vip(10), port);
            let mut flow = UdpFlow::open(&bed.client.ns, None, to).unwrap();
            let seen = if forward == "nat" && service == "one" { REWRITTEN } else { seen };
            for _ in 0..3 {
                assert_eq!(flow.ask(Duration::from_secs(5)).unwrap(), format!("{service}:{seen}"), "{to}");
            }
        }
    }
}

/// Servers on every port of [`PORTS`] and the rewritten one, which answer with `name` and their port.
fn serve_all_ports(backend: &Namespace, address: IpAddr, name: &str) -> Vec<UdpServer> {
    let ports = PORTS.map(|(port, ..)| port).into_iter().chain([REWRITTEN]);
    ports
        .map(|port| {
            serve_udp_echo(backend, SocketAddr::new(address, port), &format!("{name}:{port}")).unwrap()
        })
        .collect()
}

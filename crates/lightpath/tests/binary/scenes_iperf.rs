//! Bulk: iperf3 through the balancer, its own figures beside what the data plane counted.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lightpath_lab::Namespace;
use lightpath_lab::topology::Host;
use serde_json::Value;

use crate::common::{Bed, Family, Server, Service, TUNNELS, file, finish, is_direct, number};
use crate::decap::Decap;

/// iperf3's port, for its control connection and its data.
const PORT: u16 = 5201;
/// The longest segment that fits an Ethernet frame, with TCP timestamps over IPv4.
const SEGMENT: u64 = 1448;
/// More than what iperf3 says on its control connection: parameters and results, as JSON.
const CONTROL: u64 = 32 * 1024;

#[test]
fn nat_carries_bulk() {
    carries_bulk(&mut Bed::one_armed(3), "nat");
}

#[test]
fn dsr_carries_bulk() {
    carries_bulk(&mut Bed::one_armed(3), "dsr");
}

#[test]
fn fullnat_carries_bulk() {
    carries_bulk(&mut Bed::one_armed(3), "fullnat");
}

#[test]
fn ipip_carries_bulk() {
    carries_bulk(&mut Bed::one_armed(3), "ipip");
}

#[test]
fn gue_carries_bulk() {
    carries_bulk(&mut Bed::one_armed(3), "gue");
}

fn carries_bulk(bed: &mut Bed, forward: &'static str) {
    let mut services = Vec::new();
    let mut servers = Vec::new();
    for family in Family::BOTH {
        let vip = family.vip(10);
        if is_direct(forward) {
            bed.accept_vip(vip);
        }
        for protocol in ["tcp", "udp"] {
            let name = format!("{protocol}{family:?}");
            // Control and data are several flows, of both protocols, and must meet one backend.
            let more = "sticky = \"source-ip\"";
            let service = Service::web(&name, vip, &bed.addresses(family));
            services.push(Service { port: "5201", protocol, forward, more, ..service });
        }
        for backend in &bed.backends {
            let address = if is_direct(forward) { vip } else { family.of(backend.address) };
            servers.push(serve(backend, address, bed));
        }
    }
    let _tunnels = TUNNELS.contains(&forward).then(|| Decap::on_all(bed));
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    for family in Family::BOTH {
        tcp_arrives(bed, family, forward);
        udp_arrives(bed, family, forward);
    }
    bed.balancer.status().has_lost_nothing(forward);
}

fn serve(backend: &Host, address: IpAddr, bed: &Bed) -> Server {
    let directory =
        bed.scratch.join(format!("{}-{}", backend.ns.name(), address.to_string().replace(':', "-")));
    fs::create_dir(&directory).unwrap();
    let mut iperf = backend.ns.command("iperf3");
    // Bound, because a UDP socket would else answer from the address of the outgoing link instead of the VIP.
    iperf.args(["--server", "--bind", &address.to_string()]);
    Server::start(&mut iperf, &format!("iperf3 on {}", backend.ns.name()), &directory)
        .listens(&backend.ns, SocketAddr::new(address, PORT))
}

/// What the server received was forwarded, and nothing was forwarded that the client did not send. Between the two is what
/// was on its way when the server stopped to count. How often TCP sent again depends on the machine's queues, and is only told.
fn tcp_arrives(bed: &Bed, family: Family, forward: &str) {
    let name = format!("tcp{family:?}");
    let before = Counted::of(bed, &name);
    let end = iperf(bed, family.vip(10), &["--time", "2"]);
    let counted = Counted::of(bed, &name).since(&before);
    let (sent, received) = (number(&end["sum_sent"]["bytes"]), number(&end["sum_received"]["bytes"]));
    let again = number(&end["sum_sent"]["retransmits"]);
    println!("{forward} {name}: {received} bytes received, {again} segments sent again; {counted:?}");
    assert!(received > 0);

    let ip = if family == Family::V4 { 20 } else { 40 };
    // Every segment has 12 bytes of options (RFC 7323, section 3.2); the few that have more are within CONTROL.
    let carried = counted.bytes - counted.packets * (14 + ip + 20 + 12);
    assert!(carried >= received, "{carried} bytes carried, {received} received");
    let most = sent + again * SEGMENT + CONTROL;
    assert!(carried <= most, "{carried} bytes carried, {most} at most were sent");
    assert_eq!(counted.replies > 0, !is_direct(forward), "{counted:?}");
}

/// Every datagram that was sent was forwarded, and none was lost on its way to the server's socket.
fn udp_arrives(bed: &Bed, family: Family, forward: &str) {
    let name = format!("udp{family:?}");
    let before = Counted::of(bed, &name);
    let overflows = || -> u64 { bed.backends.iter().map(|backend| receive_overflows(&backend.ns)).sum() };
    let overflows_before = overflows();
    let end = iperf(bed, family.vip(10), &["--udp", "--length", "1400", "--bitrate", "50M", "--time", "1"]);
    let counted = Counted::of(bed, &name).since(&before);
    let (sent, lost) = (number(&end["sum"]["packets"]), number(&end["sum"]["lost_packets"]));
    println!("{forward} {name}: {sent} datagrams sent, {lost} lost; {counted:?}");

    // One datagram more opens the flow, and is answered by one.
    assert_eq!(counted.packets, sent + 1, "{end:#}");
    assert_eq!(counted.replies, u64::from(!is_direct(forward)), "{end:#}");
    // A server that does not come to run for a while loses what its socket has no room for, and the kernel says so. The
    // server learns of a loss from a later datagram, so it misses those at the end.
    let overflowed = overflows() - overflows_before;
    assert!(lost <= overflowed, "{lost} lost, {overflowed} found no room in a socket; {end:#}");
}

/// Runs the client; the `end` of its report.
fn iperf(bed: &Bed, vip: IpAddr, options: &[&str]) -> Value {
    let mut iperf = bed.client.ns.command("iperf3");
    iperf.args(["--client", &vip.to_string(), "--json", "--connect-timeout", "5000"]).args(options);
    let output = finish(&mut iperf, Duration::from_secs(20));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let mut report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report.get("error"), None, "{said}");
    report["end"].take()
}

/// Datagrams that sockets of a host had no room for, in both families.
fn receive_overflows(host: &Namespace) -> u64 {
    let read = |path| host.run(|| fs::read_to_string(path)).unwrap().unwrap();
    let snmp = read("/proc/thread-self/net/snmp");
    let mut udp = snmp.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (udp.next().unwrap(), udp.next().unwrap());
    let (_, v4) = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "RcvbufErrors").unwrap();
    let snmp6 = read("/proc/thread-self/net/snmp6");
    let v6 = snmp6.lines().find_map(|line| line.strip_prefix("Udp6RcvbufErrors")).unwrap();
    v4.parse::<u64>().unwrap() + v6.trim().parse::<u64>().unwrap()
}

/// What the data plane counted of a service.
#[derive(Clone, Copy, Debug)]
struct Counted {
    packets: u64,
    bytes: u64,
    replies: u64,
}

impl Counted {
    fn of(bed: &Bed, service: &str) -> Self {
        let status = bed.balancer.status();
        let service = status.service(service);
        let [packets, bytes, replies] =
            ["packets", "bytes", "reply_packets"].map(|key| number(&service[key]));
        Self { packets, bytes, replies }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            packets: self.packets - before.packets,
            bytes: self.bytes - before.bytes,
            replies: self.replies - before.replies,
        }
    }
}

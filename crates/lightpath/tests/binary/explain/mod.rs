//! What `explain` says is what then happens.

mod packets;
mod pcap;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lightpath_lab::{KillOnDrop, Namespace, serve_http};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::common::{Bed, Family, Service, eventually, file, finish};

/// Source ports tried in each family; three backends are all met among them.
const PORTS: std::ops::Range<u16> = 41_000..41_012;

#[test]
fn the_backend_that_is_named_is_the_one_that_answers() {
    let mut bed = Bed::one_armed(3);
    let services = Family::BOTH
        .map(|family| Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family)));
    let _servers: Vec<_> = bed
        .backends
        .iter()
        .flat_map(|backend| backend.address.each().map(|address| (backend, address)))
        .map(|(backend, address)| {
            serve_http(&backend.ns, (address, 80).into(), &address.to_string()).unwrap()
        })
        .collect();
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    let before = bed.balancer.status().0["services"].clone();
    for (family, service) in Family::BOTH.into_iter().zip(&services) {
        let client = family.of(bed.client.address);
        for port in PORTS {
            let [source, destination] =
                [(client, port), (service.vip, 80)].map(|end| SocketAddr::from(end).to_string());
            let explained = explain(&bed, &source, &destination);
            assert_eq!(explained["verdict"], "forward", "{explained}");
            assert_eq!(explained["service"], json!(service.name), "{explained}");
            assert_eq!(explained["moving"], false, "{explained}");
            let answered = fetch(&bed, &client.to_string(), port, &destination);
            assert_eq!(explained["backend"]["address"], json!(answered), "from port {port}: {explained}");
        }
    }
    assert_ne!(bed.balancer.status().0["services"], before, "the requests were counted");
}

#[test]
fn what_is_not_balanced_is_said_to_be_the_kernels_and_nothing_is_counted() {
    let mut bed = Bed::one_armed(1);
    let service = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    let vip = service.vip;
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    let before = bed.balancer.status().0["services"].clone();

    let explained = explain(&bed, "198.51.100.7:40000", &format!("{vip}:81"));
    assert_eq!(explained["verdict"], "pass", "{explained}");
    let explained = explain(&bed, "198.51.100.7:40000", &format!("{vip}:80"));
    assert_eq!(explained["verdict"], "forward", "{explained}");
    assert_eq!(bed.balancer.status().0["services"], before, "explaining counts nothing");

    let arguments = ["explain", "--src", "198.51.100.7:1", "--dst", "[2001:db8::1]:80", "--proto", "tcp"];
    let refused = bed.balancer.ask(&arguments);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("different families"), "{refused:?}");
}

/// The client's packets are captured as they are sent, and the backends' as they arrive.
#[test]
fn the_packet_that_is_shown_is_the_packet_that_the_backend_gets() {
    let mut bed = Bed::two_armed(2);
    let services = Family::BOTH
        .map(|family| Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family)));
    let hosts =
        bed.backends.iter().flat_map(|backend| backend.address.each().map(|address| (backend, address)));
    let _servers: Vec<_> = hosts
        .map(|(backend, address)| {
            serve_http(&backend.ns, (address, 80).into(), &address.to_string()).unwrap()
        })
        .collect();
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    let capture = |namespace: &Namespace| {
        Tcpdump::start(namespace, "tcp dst port 80", bed.scratch.join(namespace.name()))
    };
    let sent = capture(&bed.client.ns);
    let got: Vec<_> = bed.backends.iter().map(|backend| capture(&backend.ns)).collect();
    for (family, service) in Family::BOTH.into_iter().zip(&services) {
        for port in PORTS {
            let to = SocketAddr::from((service.vip, 80)).to_string();
            fetch(&bed, &family.of(bed.client.address).to_string(), port, &to);
        }
    }
    let sent = sent.stop();
    let explained = bed.balancer.ask(&["explain", "--json", "--pcap", sent.to_str().unwrap()]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    let shown: BTreeSet<String> = explained
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|explained| explained["packet"].as_str().unwrap_or_else(|| panic!("{explained}")).to_owned())
        .collect();
    // A SYN, an ACK, the request and a FIN at least, of each connection.
    assert!(shown.len() >= 4 * 2 * PORTS.len(), "{}", shown.len());
    eventually("every packet that is shown arrives at a backend", || {
        let arrived: BTreeSet<String> = got.iter().flat_map(Tcpdump::packets).collect();
        shown.is_subset(&arrived)
    });
}

#[test]
fn a_moving_slot_is_explained_for_new_flows_and_for_old_ones() {
    let mut bed = Bed::one_armed(2);
    let mut service = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    service.backends[1].more = "weight = 1";
    bed.balancer.start_with(&file(bed.interfaces, "", &[service.clone()]));
    bed.balancer.stop();
    service.backends[1].more = "weight = 100";
    bed.balancer.start_with(&file(bed.interfaces, "", &[service.clone()]));

    let vip = SocketAddr::from((service.vip, 80)).to_string();
    let [stays, moves] = [0, 1].map(|index| json!(service.backends[index].address));
    let source = PORTS.map(|port| format!("198.51.100.10:{port}"));
    let moving = |source: &String| explain(&bed, source, &vip)["moving"] == true;
    let source = source.into_iter().find(moving).expect("about half of the slots move");

    let new = explain(&bed, &source, &vip);
    assert_eq!(new["because"], "its slot is moving: new flows go to the new backend", "{new}");
    assert_eq!([&new["previous"]["address"], &new["current"]["address"]], [&stays, &moves], "{new}");
    assert_eq!(new["backend"]["address"], moves, "{new}");
    assert_eq!(explain(&bed, &source, &vip), new, "what is explained is not remembered");

    let flow = ["explain", "--src", &source, "--dst", &vip, "--proto", "tcp"];
    let old = bed.balancer.ask(&flow);
    let expected = "verdict   forward: its slot is moving: a flow that is not remembered is older than the move, and stays";
    assert!(old.stdout.lines().any(|line| line == expected), "{old:?}");
    assert!(old.stdout.contains(", moving from 10.0.0.11 port 80 to 10.0.0.12 port 80\n"), "{old:?}");
    assert!(old.stdout.contains("backend   10.0.0.11 port 80\n"), "{old:?}");
}

/// tcpdump in a namespace, until it is stopped.
struct Tcpdump {
    process: KillOnDrop,
    file: PathBuf,
}

impl Tcpdump {
    fn start(namespace: &Namespace, filter: &str, file: PathBuf) -> Self {
        let mut command = namespace.command("tcpdump");
        command.args(["--immediate-mode", "-U", "-i", "eth0", "-Z", "root", "-w"]).arg(&file).arg(filter);
        let tcpdump = Self { process: KillOnDrop(command.spawn().unwrap()), file };
        eventually("tcpdump captures", || fs::metadata(&tcpdump.file).is_ok_and(|file| file.len() >= 24));
        tcpdump
    }

    /// What was captured so far.
    fn packets(&self) -> Vec<String> {
        pcap::read(&fs::read(&self.file).unwrap()).iter().map(|bytes| hex(bytes)).collect()
    }

    /// The file, with everything that was captured.
    fn stop(mut self) -> PathBuf {
        kill(Pid::from_raw(self.process.0.id().cast_signed()), Signal::SIGINT).unwrap();
        assert!(self.process.0.wait().unwrap().success());
        self.file.clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn explain(bed: &Bed, source: &str, destination: &str) -> Value {
    let arguments = ["explain", "--src", source, "--dst", destination, "--proto", "tcp", "--syn", "--json"];
    bed.balancer.ask(&arguments).json()
}

/// The name of the server that answers a request from this address and port.
fn fetch(bed: &Bed, client: &str, port: u16, destination: &str) -> String {
    let mut curl: Command = bed.client.ns.command("curl");
    curl.args(["--silent", "--show-error", "--output", "/dev/null", "--dump-header", "-"]);
    curl.args(["--interface", client, "--local-port", &port.to_string(), &format!("http://{destination}/")]);
    let answer = finish(&mut curl, Duration::from_secs(5));
    let headers = String::from_utf8(answer.stdout.clone()).unwrap();
    let header = headers.lines().find_map(|line| line.strip_prefix("x-backend: "));
    header.unwrap_or_else(|| panic!("no X-Backend in {answer:?}")).trim().to_owned()
}

//! Captures, as tshark reads them.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lightpath_dataplane::Interface;
use lightpath_lab::{HttpConnection, KillOnDrop, http_get, serve_http};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::{Bed, Family, Output, PATIENCE, Service, Traffic, eventually, file, finish};

/// A service of pages, one of datagrams without a backend that takes them, and one by GUE.
fn start() -> Bed {
    let mut bed = Bed::one_armed(2);
    let services = services(&bed);
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    bed
}

fn services(bed: &Bed) -> Vec<Service> {
    let v4 = bed.addresses(Family::V4);
    let web = Service::web("web", Family::V4.vip(10), &v4);
    let empty = Service {
        port: "5000",
        protocol: "udp",
        more: "when_empty = \"drop\"",
        backends: Vec::new(),
        ..Service::web("empty", Family::V4.vip(11), &[])
    };
    let tunnel = Service {
        port: "5000",
        protocol: "udp",
        forward: "gue",
        ..Service::web("tunnel", Family::V6.vip(12), &v4[..1])
    };
    vec![web, empty, tunnel]
}

/// A capture in the background, of which nothing was read yet.
struct Running {
    process: KillOnDrop,
}

impl Running {
    fn start(bed: &Bed, to: &Path, options: &[&str]) -> Self {
        let before = bed.balancer.log().matches("packets are captured").count();
        let mut command = bed.balancer.command(&["capture", "--write", to.to_str().unwrap()]);
        command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = KillOnDrop(command.spawn().unwrap());
        eventually("packets are captured", || {
            bed.balancer.log().matches("packets are captured").count() > before
        });
        Self { process }
    }

    /// Waits for its end; what it said.
    fn finish(mut self) -> String {
        let mut status = None;
        eventually("the capture ends", || {
            status = self.process.0.try_wait().unwrap();
            status.is_some()
        });
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.process.0.stderr.take().unwrap(), &mut said).unwrap();
        assert!(status.unwrap().success(), "{said}");
        said
    }
}

/// Fields of every packet of a file, as tshark reads them.
fn fields(file: &Path, names: &[&str]) -> Vec<Vec<String>> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-T", "fields", "-E", "occurrence=l"]);
    tshark.args(names.iter().flat_map(|name| ["-e", name]));
    let output = finish(&mut tshark, PATIENCE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn program(bed: &Bed) -> u32 {
    bed.balancer.ns.run(|| Interface::named("eth0").unwrap().xdp.unwrap().id).unwrap()
}

#[test]
fn packets_are_captured_as_they_come_and_as_they_leave() {
    let mut bed = start();
    let usual = program(&bed);
    let vip = Family::V4.vip(10);
    let _servers: Vec<_> = bed
        .backends
        .iter()
        .map(|backend| serve_http(&backend.ns, SocketAddr::from(([0, 0, 0, 0], 80)), "page").unwrap())
        .collect();
    let to = bed.scratch.join("web.pcapng");
    let capture = Running::start(&bed, &to, &["--service", "web", "--count", "8", "--snaplen", "2000"]);
    assert_ne!(program(&bed), usual, "a program that copies stands in");
    http_get(&bed.client.ns, None, SocketAddr::new(vip, 80), Duration::from_secs(5)).unwrap();
    assert_eq!(capture.finish(), "8 packets captured, 0 lost\n");
    eventually("the usual program is back", || program(&bed) == usual);

    let [client, vip] = [Family::V4.of(bed.client.address), vip].map(|address| address.to_string());
    let packets = fields(
        &to,
        &[
            "frame.comment",
            "ip.src",
            "ip.dst",
            "ip.checksum.status",
            "tcp.checksum.status",
            "frame.interface_name",
        ],
    );
    assert_eq!(packets.len(), 16, "each packet twice: {packets:?}");
    let backend = packets[1][2].clone();
    assert!(bed.backends.iter().any(|known| known.address.v4.to_string() == backend), "{packets:?}");
    for pair in packets.chunks(2) {
        let ends = |packet: &[String]| (packet[1].clone(), packet[2].clone());
        let (came, left) = (ends(&pair[0]), ends(&pair[1]));
        let expected = if came.0 == client {
            assert_eq!(pair[0][0], format!("to backend {backend}:80 of web"));
            ((client.clone(), vip.clone()), (client.clone(), backend.clone()))
        } else {
            assert_eq!(pair[0][0], format!("to the client, from backend {backend}:80 of web"));
            ((backend.clone(), client.clone()), (vip.clone(), client.clone()))
        };
        assert_eq!((came, left), expected, "{pair:?}");
        assert_eq!(pair[1][0], format!("as it left: {}", pair[0][0]));
        assert!(pair.iter().all(|packet| packet[5] == "eth0"), "{pair:?}");
    }
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_filter_leaves_what_is_asked_for_and_a_pipe_takes_it() {
    let mut bed = start();
    let flow = |family: Family, host| {
        let socket = || UdpSocket::bind(SocketAddr::new(family.of(bed.client.address), 0)).unwrap();
        let socket = bed.client.ns.run(socket).unwrap();
        socket.connect(SocketAddr::new(family.vip(host), 5000)).unwrap();
        socket
    };
    let (empty, tunnel) = (flow(Family::V4, 11), flow(Family::V6, 12));
    let client = tunnel.local_addr().unwrap().to_string();
    for (name, options, comment, each) in [
        ("reason", &["--reason", "no-backend"][..], "dropped of empty: no-backend", 1),
        ("verdict", &["--verdict", "dropped"], "dropped of empty: no-backend", 1),
        ("service", &["--service", "tunnel"], "to backend 10.0.0.11:5000 of tunnel", 2),
        ("backend", &["--backend", "10.0.0.11"], "to backend 10.0.0.11:5000 of tunnel", 2),
        ("client", &["--client", &client], "to backend 10.0.0.11:5000 of tunnel", 2),
    ] {
        let to = bed.scratch.join(name);
        let capture = Running::start(&bed, &to, &[&["--count", "3"], options].concat());
        for flow in [&empty, &tunnel, &empty, &tunnel, &empty, &tunnel] {
            flow.send(b"for somebody").unwrap();
        }
        assert_eq!(capture.finish(), "3 packets captured, 0 lost\n");
        let packets = fields(&to, &["frame.comment"]);
        assert_eq!(packets.len(), 3 * each, "{name}: {packets:?}");
        for pair in packets.chunks(each) {
            assert_eq!(pair[0][0], comment, "{name}");
        }
    }

    let mut capture = Running::start(&bed, Path::new("-"), &["--reason", "no-backend", "--count", "3"]);
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", "-", "-T", "fields", "-e", "frame.comment"]);
    tshark.stdin(capture.process.0.stdout.take().unwrap()).stdout(Stdio::piped()).stderr(Stdio::null());
    let tshark = tshark.spawn().unwrap();
    for _ in 0..3 {
        empty.send(b"for somebody").unwrap();
    }
    assert_eq!(capture.finish(), "3 packets captured, 0 lost\n");
    let read = tshark.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&read.stdout), "dropped of empty: no-backend\n".repeat(3));
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_file_is_no_larger_than_it_may_be_and_what_is_lost_is_said() {
    let mut bed = start();
    let make = || UdpSocket::bind(SocketAddr::new(Family::V4.of(bed.client.address), 0)).unwrap();
    let empty = bed.client.ns.run(make).unwrap();
    empty.connect(SocketAddr::new(Family::V4.vip(11), 5000)).unwrap();
    let to = bed.scratch.join("small.pcapng");
    let mut capture = Running::start(&bed, &to, &["--verdict", "dropped", "--size", "3000"]);
    eventually("there is enough", || {
        empty.send(b"for nobody").unwrap();
        capture.process.0.try_wait().unwrap().is_some()
    });
    let said = capture.finish();
    let packets = fields(&to, &["frame.comment"]).len();
    assert_eq!(said, format!("{packets} packets captured, 0 lost\n"));
    let size = std::fs::metadata(&to).unwrap().len();
    assert!((2500..=3000).contains(&size) && packets > 5, "{packets} packets in {size} bytes");

    // Nobody reads: pieces wait on their way, then copies in the ring buffer, and then there is no room.
    let options =
        ["--verdict", "dropped", "--snaplen", "2000", "--count", "10000000", "--size", "10000000000"];
    let mut capture = Running::start(&bed, Path::new("-"), &[&options[..], &["--seconds", "3"]].concat());
    for _ in 0..60_000 {
        // A busy link may have no room either.
        let _ = empty.send(&[0; 1400]);
    }
    let mut output = capture.process.0.stdout.take().unwrap();
    let reading = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()).unwrap());
    let said = capture.finish();
    assert!(reading.join().unwrap() > 1 << 20);
    assert!(!said.contains(" 0 lost") && said.contains(" lost; ask for fewer with --every"), "{said}");
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn what_cannot_be_captured_is_refused_and_a_reader_that_goes_ends_it() {
    let mut bed = start();
    let usual = program(&bed);
    let ask = |options: &[&str]| -> Output {
        bed.balancer.ask(&[&["capture", "--write", "/dev/null", "--seconds", "1"], options].concat())
    };
    for (options, complaint) in [
        (&["--service", "mail"][..], "no service is called mail"),
        (&["--backend", "10.9.9.9"], "no service has a backend 10.9.9.9"),
        (&["--client", "somebody"], "\"somebody\" is no client"),
    ] {
        let refused = ask(options);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(complaint), "{refused:?}");
    }
    assert_eq!(ask(&["--reason", "bad luck"]).code, Some(2));
    let nothing = ask(&[]);
    assert_eq!((nothing.code, nothing.stderr.as_str()), (Some(0), "0 packets captured, 0 lost\n"));

    let capture = Running::start(&bed, Path::new("/dev/null"), &[]);
    let second = ask(&[]);
    assert!(second.stderr.contains("somebody else captures"), "{second:?}");
    kill(Pid::from_raw(capture.process.0.id().cast_signed()), Signal::SIGKILL).unwrap();
    eventually("the usual program is back", || program(&bed) == usual);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn no_request_fails_while_captures_begin_and_end() {
    let mut bed = start();
    let vip = SocketAddr::new(Family::V4.vip(10), 80);
    let _servers: Vec<_> = bed
        .backends
        .iter()
        .map(|backend| serve_http(&backend.ns, SocketAddr::from(([0, 0, 0, 0], 80)), "page").unwrap())
        .collect();
    let mut held = HttpConnection::open(&bed.client.ns, None, vip, Duration::from_secs(5)).unwrap();
    let traffic = Traffic::start(&bed.client.ns, vip);
    let patience = Duration::from_secs(5);
    // Each takes more of the program than the one before.
    let mut services = services(&bed);
    let backends = bed.addresses(Family::V4);
    for host in [20, 21, 22] {
        let to = bed.scratch.join("some.pcapng");
        let capture = Running::start(&bed, &to, &["--every", "10", "--count", "20"]);
        traffic.goes_on_for(40);
        assert_eq!(capture.finish(), "20 packets captured, 0 lost\n");
        held.get("/", patience).unwrap();
        // A change that needs another program ends a capture.
        let capture = Running::start(&bed, &to, &["--every", "1000000"]);
        let service = Service::web(&format!("more-{host}"), Family::V4.vip(host), &backends);
        services.push(match host {
            20 => Service { more: "sticky = \"source-ip\"", port: "81", ..service },
            21 => Service { port: "\"90-99\"", ..service },
            _ => Service { forward: "ipip", ..service },
        });
        bed.balancer.configure(&file(bed.interfaces, "", &services));
        let reloaded = bed.balancer.ask(&["reload"]);
        assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
        capture.finish();
        held.get("/", patience).unwrap();
        traffic.goes_on_for(20);
    }
    assert!(traffic.finish() > 0);
    assert_eq!(bed.balancer.status().0["drops"], serde_json::json!({}));
    bed.balancer.stop();
    bed.balancer.detach();
}

//! A balancer's tunnels, and a backend that unwraps them and answers the clients itself.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use lightpath_lab::topology::BRIDGE;
use lightpath_lab::{Namespace, http_get, serve_http};
use serde_json::json;

use super::Decap;
use crate::common::{
    Balancer, Bed, Family, HostState, Server, Service, eventually, file, finish, ip, number,
};

/// The port of nginx.
const NGINX: u16 = 8080;
/// What the tunnels' headers take at most, above an ordinary MTU.
const MTU: u32 = 1500 + 48;

/// A service for each pair of families and each format, on a VIP of its own.
struct Tunnel {
    vip: IpAddr,
    outer: Family,
    gue: bool,
}

fn tunnels() -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    for inner in Family::BOTH {
        for outer in Family::BOTH {
            for gue in [false, true] {
                let vip = inner.vip(10 + u8::try_from(tunnels.len()).unwrap());
                tunnels.push(Tunnel { vip, outer, gue });
            }
        }
    }
    tunnels
}

/// Has the links between balancer and backend take an ordinary packet with its outer headers.
fn widen(bed: &Bed) {
    for host in [&bed.balancer.ns, &bed.backends[0].ns] {
        host.set_mtu("eth0", MTU).unwrap();
    }
    for port in ["to-balancer", "to-backend1", BRIDGE] {
        bed.switch.set_mtu(port, MTU).unwrap();
    }
}

/// Has the balancer send each VIP's packets to the backend.
fn balance(bed: &mut Bed, tunnels: &[Tunnel]) {
    let backend = &bed.backends[0];
    let mut services = Vec::new();
    for (number, Tunnel { vip, outer, gue }) in tunnels.iter().enumerate() {
        backend.accept_vip(*vip).unwrap();
        for port in ["80", "8080"] {
            let forward = if *gue { "gue" } else { "ipip" };
            let web = Service::web(&format!("web-{number}-{port}"), *vip, &[outer.of(backend.address)]);
            services.push(Service { port, forward, ..web });
        }
    }
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
}

fn serve_pages(backend: &Namespace) -> lightpath_lab::HttpServer {
    serve_http(backend, SocketAddr::from(([0_u16; 8], 80)), backend.name()).unwrap()
}

/// Ten megabytes of numbers, so that none can be missing, doubled or moved unnoticed.
fn write_file(path: &Path) -> Vec<u8> {
    let bytes: Vec<u8> = (0..10_u32 << 18).flat_map(u32::to_le_bytes).collect();
    fs::write(path, &bytes).unwrap();
    bytes
}

fn is_served(bed: &Bed, vip: IpAddr) -> bool {
    http_get(&bed.client.ns, None, SocketAddr::new(vip, 80), Duration::from_millis(300)).is_ok()
}

#[test]
fn clients_are_served_through_every_tunnel() {
    let mut bed = Bed::one_armed(1);
    let tunnels = tunnels();
    widen(&bed);
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0];
    let _servers = (serve_pages(&backend.ns), serve_files(&backend.ns, &bed.scratch));
    let content = write_file(&bed.scratch.join("local"));
    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    assert!(!is_served(&bed, tunnels[0].vip), "the kernel of a backend has no tunnels here");

    let (before, before_it) = (HostState::of(&backend.ns), sent(&bed.balancer));
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    for tunnel in &tunnels {
        pages_come_from_the_backend(&bed, tunnel);
        a_file_travels_both_ways(&bed, tunnel, &content);
    }
    let sent = sent(&bed.balancer) - before_it;
    let report = decap.stop();
    let unwrapped: u64 =
        ["ipip", "gue"].iter().map(|format| number(&report["unwrapped"][format]["packets"])).sum();
    // A busy virtual link may lose a few on the way, which TCP sends again.
    assert!(unwrapped <= sent && unwrapped > sent - sent / 100, "{sent} packets sent, {report}");
    assert!(number(&report["unwrapped"]["gue"]["packets"]) > 0, "{report}");
    assert_eq!((&report["drops"], &report["left"]), (&json!({}), &json!(0)), "{report}");
    before.is_back(&backend.ns);
    assert!(!is_served(&bed, tunnels[0].vip));
}

/// Links of one MTU: with the outer headers a client's full packets are too big, which the balancer tells it.
#[test]
fn a_client_finds_the_smaller_packet_that_fits_a_tunnel() {
    let mut bed = Bed::one_armed(1);
    let tunnels = tunnels();
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0];
    let _server = serve_files(&backend.ns, &bed.scratch);
    let content = write_file(&bed.scratch.join("local"));
    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    for tunnel @ Tunnel { vip, outer, gue } in &tunnels {
        a_file_travels_both_ways(&bed, tunnel, &content);
        let header = if *outer == Family::V4 { 20 } else { 40 } + if *gue { 8 } else { 0 };
        let learned = ip(&bed.client.ns, &format!("route get {vip}"));
        assert!(learned.contains(&format!("mtu {}", 1500 - header)), "{vip}: {learned}");
    }
    let status = bed.balancer.status().0;
    assert!(number(&status["replies"]["too-big"]) >= tunnels.len() as u64, "{status}");
    assert_eq!(status["replies"]["too-big"], status["drops"]["too-big"], "{status}");
}

/// Packets that the balancer has sent.
fn sent(balancer: &Balancer) -> u64 {
    let status = balancer.status();
    status.0["services"].as_array().unwrap().iter().map(|service| number(&service["packets"])).sum()
}

/// The backend sees the client's own address, and its answers do not pass the balancer.
fn pages_come_from_the_backend(bed: &Bed, tunnel: &Tunnel) {
    let client = if tunnel.vip.is_ipv4() { Family::V4 } else { Family::V6 }.of(bed.client.address);
    for _ in 0..5 {
        let to = SocketAddr::new(tunnel.vip, 80);
        let answer = http_get(&bed.client.ns, None, to, Duration::from_secs(5)).unwrap();
        assert_eq!((answer.backend.as_str(), answer.peer.map(|peer| peer.ip())), ("backend1", Some(client)));
    }
}

/// Ten megabytes each way, as they were sent.
fn a_file_travels_both_ways(bed: &Bed, tunnel: &Tunnel, content: &[u8]) {
    let url = format!("http://{}/file", SocketAddr::new(tunnel.vip, NGINX));
    let [local, arrived] = ["local", "arrived"].map(|name| bed.scratch.join(name));
    curl(bed, &["--upload-file", local.to_str().unwrap(), &url]);
    // Not assert_eq: nobody wants to read it twice.
    assert!(
        fs::read(bed.scratch.join("site/file")).unwrap() == content,
        "{}: another file arrived",
        tunnel.vip
    );
    curl(bed, &["--output", arrived.to_str().unwrap(), &url]);
    assert!(fs::read(&arrived).unwrap() == content, "{}: another file came back", tunnel.vip);
    curl(bed, &["--request", "DELETE", &url]);
}

fn curl(bed: &Bed, arguments: &[&str]) {
    let mut command = bed.client.ns.command("curl");
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--globoff"]).args(arguments);
    let output = finish(&mut command, Duration::from_secs(30));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// nginx on the backend, which stores files and gives them back.
fn serve_files(backend: &Namespace, scratch: &Path) -> Server {
    let directory = scratch.join("nginx");
    fs::create_dir(&directory).unwrap();
    fs::create_dir(scratch.join("site")).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/temporary;\n", directory.display()))
        .concat();
    let configuration = directory.join("nginx.conf");
    let text = format!(
        "daemon off;
        master_process off;
        pid {directory}/pid;
        events {{}}
        http {{
            {temporary}
            access_log off;
            client_max_body_size 0;
            server {{
                listen [::]:{NGINX} ipv6only=off;
                location / {{ root {site}; dav_methods PUT DELETE; }}
            }}
        }}",
        directory = directory.display(),
        site = scratch.join("site").display(),
    );
    fs::write(&configuration, text).unwrap();
    let mut nginx = backend.command("nginx");
    nginx.arg("-p").arg(&directory).arg("-c").arg(&configuration).args(["-e", "stderr"]);
    Server::start(&mut nginx, "nginx", &directory).listens(backend, SocketAddr::from(([127, 0, 0, 1], NGINX)))
}

/// CVE-2020-10136, CVE-2024-7596: a balancer that is not listed reaches nothing.
#[test]
fn tunnels_from_elsewhere_are_not_unwrapped() {
    let mut bed = Bed::one_armed(1);
    let tunnels = tunnels();
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0];
    let _server = serve_pages(&backend.ns);
    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    for strict in [false, true] {
        let options: &[&str] = if strict { &["--strict"] } else { &[] };
        decap.start(&[&["--from", "10.0.0.3", "--from", "2001:db8:0:2::/64"], options].concat());
        for tunnel in &tunnels {
            assert!(!is_served(&bed, tunnel.vip), "{}", tunnel.vip);
        }
        eventually("the source is named", || decap.log().contains("add them to --from"));
        let report = decap.stop();
        assert_eq!(number(&report["unwrapped"]["ipip"]["packets"]), 0, "{report}");
        assert_eq!(number(&report["unwrapped"]["gue"]["packets"]), 0, "{report}");
        assert_eq!(number(&report["left"]) >= 8, !strict, "{report}");
        assert_eq!(report["drops"].get("unlisted-source").is_some(), strict, "{report}");
    }
}

#[test]
fn a_vip_that_the_backend_lacks_is_named_and_followed_once_it_is_there() {
    let mut bed = Bed::one_armed(1);
    let tunnels = tunnels();
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0].ns;
    let _server = serve_pages(backend);
    let mut decap = Decap::new(backend, &bed.scratch);
    let vip = tunnels[0].vip;
    ip(backend, &format!("address del {vip}/32 dev lo"));
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    assert!(!is_served(&bed, vip));
    eventually("the missing VIP is said", || decap.log().contains("ip address add VIP dev lo"));
    ip(backend, &format!("address add {vip}/32 dev lo"));
    eventually("the VIP is served", || is_served(&bed, vip));
    let report = decap.stop();
    assert!(number(&report["drops"]["not-local"]) > 0, "{report}");
}

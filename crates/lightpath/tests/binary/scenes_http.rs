//! Web pages: nginx on the backends, curl as the client.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lightpath_lab::topology::{Host, plan};

use crate::common::{Bed, Family, Server, Service, eventually, file, finish, ip, number};

/// Large enough that a window, a queue or a counter that is too small shows.
const LARGE: usize = 20_000_000;

#[test]
fn nat_behind_one_interface_serves_pages() {
    serves_pages(&mut Bed::one_armed(3), "nat");
}

#[test]
fn nat_between_two_interfaces_serves_pages() {
    serves_pages(&mut Bed::two_armed(3), "nat");
}

#[test]
fn dsr_serves_pages() {
    serves_pages(&mut Bed::one_armed(3), "dsr");
}

/// Backends whose default route is the router: only the source address brings their replies back to the balancer. Each family
/// over itself, and IPv6 clients at IPv4 backends.
#[test]
fn fullnat_serves_pages_from_backends_that_have_no_route_back() {
    let mut bed = Bed::one_armed(2);
    for backend in &bed.backends {
        let router = plan::SERVICE.host(plan::ROUTER);
        ip(&backend.ns, &format!("route replace default via {}", router.v4));
        ip(&backend.ns, &format!("-6 route replace default via {}", router.v6));
    }
    let large = write_large(&bed.scratch);
    let sites: Vec<Site> = bed.backends.iter().map(|backend| Site::start(backend, &bed.scratch)).collect();
    let across = [(Family::V4, Family::V4, 10), (Family::V6, Family::V6, 10), (Family::V6, Family::V4, 11)];
    let services = across.map(|(front, back, host)| {
        let name = format!("web{front:?}{back:?}");
        let mut service = Service::web(&name, front.vip(host), &bed.addresses(back));
        service.forward = "fullnat";
        // The services share their backends.
        service.backends.iter_mut().for_each(|backend| backend.more = "port = 8080");
        service
    });
    bed.balancer.start_with(&file(bed.interfaces, "snat_ports = \"20000-29999\"", &services));

    for ((_, back, _), service) in across.into_iter().zip(&services) {
        let node = back.of(plan::SERVICE.host(plan::BALANCER));
        every_backend_answers(&bed, service.vip, node, 8080, &sites);
        a_connection_is_kept(&bed, service.vip);
        a_large_file_arrives(&bed, service.vip, &large);
        let status = bed.balancer.status();
        let service = status.service(&service.name);
        assert!(number(&service["reply_bytes"]) > LARGE as u64, "replies come back here: {service}");
        for site in &sites {
            fs::write(site.directory.join("access.log"), "").unwrap();
        }
    }
    let status = bed.balancer.status();
    assert_eq!(status.0["drops"], serde_json::json!({}));
    assert!(number(&status.0["flows"]["sessions"]) > 0, "those that were closed just now rest: {status:?}");
}

fn serves_pages(bed: &mut Bed, forward: &'static str) {
    let large = write_large(&bed.scratch);
    let sites: Vec<Site> = bed.backends.iter().map(|backend| Site::start(backend, &bed.scratch)).collect();
    let services = Family::BOTH.map(|family| {
        let mut service = Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family));
        service.forward = forward;
        match forward {
            "dsr" => bed.accept_vip(service.vip),
            // Another port than the client's, so that it must be rewritten both ways.
            _ => service.backends.iter_mut().for_each(|backend| backend.more = "port = 8080"),
        }
        service
    });
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    for (family, service) in Family::BOTH.into_iter().zip(&services) {
        let client = family.of(bed.client.address);
        let port = if forward == "dsr" { 80 } else { 8080 };
        every_backend_answers(bed, service.vip, client, port, &sites);
        a_connection_is_kept(bed, service.vip);
        a_large_file_arrives(bed, service.vip, &large);
        let status = bed.balancer.status();
        let service = status.service(&service.name);
        let replies = number(&service["reply_bytes"]);
        match forward {
            "dsr" => assert_eq!(replies, 0, "replies go straight to the client: {service}"),
            _ => assert!(replies > LARGE as u64, "{service}"),
        }
        assert_eq!(number(&service["dropped"]), 0, "{service}");
    }
    assert_eq!(bed.balancer.status().0["drops"], serde_json::json!({}));
}

/// Forty fresh connections meet all backends, whose logs show the client's own address and the port asked for.
fn every_backend_answers(bed: &Bed, vip: IpAddr, client: IpAddr, port: u16, sites: &[Site]) {
    let pages = curl(bed, &["--header", "Connection: close", &format!("{}?[1-40]", url(vip, "/"))]);
    let answered: Vec<&str> = pages.lines().collect();
    assert_eq!(answered.len(), 40, "{pages}");
    let names: BTreeSet<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(answered.iter().copied().collect::<BTreeSet<_>>(), names, "{pages}");
    for site in sites {
        let expected = answered.iter().filter(|name| **name == site.name).count();
        let line = format!("{client} {port} 1 /");
        eventually(&format!("{} logged {expected} times: {line}", site.name), || {
            site.access_log().lines().filter(|found| *found == line).count() == expected
        });
    }
}

/// Twenty requests on one connection meet one backend.
fn a_connection_is_kept(bed: &Bed, vip: IpAddr) {
    let pages = curl(bed, &["--write-out", "%{num_connects} ", &format!("{}?[1-20]", url(vip, "/"))]);
    let mut lines: Vec<&str> = pages.lines().collect();
    // Each page ends its line, so that the number of new connections for it begins the next one.
    assert_eq!(lines.pop(), Some("0 "), "{pages}");
    let backend = lines.remove(0);
    assert_eq!(lines.remove(0), format!("1 {backend}"), "{pages}");
    assert_eq!(lines, vec![format!("0 {backend}"); 18], "{pages}");
}

fn a_large_file_arrives(bed: &Bed, vip: IpAddr, large: &[u8]) {
    let arrived = bed.scratch.join("arrived");
    curl(bed, &["--output", arrived.to_str().unwrap(), &url(vip, "/large")]);
    // Not assert_eq: nobody wants to read 20 MB twice.
    assert!(fs::read(arrived).unwrap() == large, "the file is not as it was sent");
}

fn curl(bed: &Bed, arguments: &[&str]) -> String {
    let mut command = bed.client.ns.command("curl");
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments);
    let output = finish(&mut command, Duration::from_secs(30));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn url(vip: IpAddr, path: &str) -> String {
    format!("http://{}{path}", SocketAddr::new(vip, 80))
}

/// Bytes without a pattern (xorshift64), so that none can be missing, doubled or moved unnoticed.
fn write_large(directory: &Path) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..LARGE / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = words.collect();
    fs::write(directory.join("large"), &bytes).unwrap();
    bytes
}

/// nginx on a backend. Its page is the backend's name.
struct Site {
    name: String,
    directory: PathBuf,
    _server: Server,
}

impl Site {
    fn start(backend: &Host, scratch: &Path) -> Self {
        let name = backend.ns.name().to_owned();
        let directory = scratch.join(&name);
        fs::create_dir(&directory).unwrap();
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, site(&name, &directory, scratch)).unwrap();
        let mut nginx = backend.ns.command("nginx");
        nginx.arg("-p").arg(&directory).arg("-c").arg(&configuration).args(["-e", "stderr"]);
        let server = Server::start(&mut nginx, &format!("nginx on {name}"), &directory)
            .listens(&backend.ns, SocketAddr::new(backend.address.v6.into(), 8080));
        Self { name, directory, _server: server }
    }

    /// A line for each request: the client's address, the port here, which request of its connection it was, and the path.
    fn access_log(&self) -> String {
        fs::read_to_string(self.directory.join("access.log")).unwrap()
    }
}

fn site(name: &str, directory: &Path, content: &Path) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/temporary;\n", directory.display()))
        .concat();
    format!(
        "daemon off;
        master_process off;
        pid {directory}/pid;
        events {{}}
        http {{
            {temporary}
            log_format short '$remote_addr $server_port $connection_requests $uri';
            access_log {directory}/access.log short;
            server {{
                listen 80;
                listen 8080;
                listen [::]:80;
                listen [::]:8080;
                location = / {{ return 200 \"{name}\\n\"; }}
                location = /large {{ root {content}; }}
            }}
        }}",
        directory = directory.display(),
        content = content.display(),
    )
}

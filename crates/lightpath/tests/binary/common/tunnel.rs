//! Services by every tunnel there is, and what their clients see.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use lightpath_lab::{HttpServer, Namespace, http_get, serve_http};

use super::{Bed, Family, Server, Service, file, finish};

/// The port of nginx.
const NGINX: u16 = 8080;

/// A VIP whose packets go to the first backend in a tunnel.
pub(crate) struct Tunnel {
    pub(crate) vip: IpAddr,
    pub(crate) outer: Family,
    pub(crate) gue: bool,
}

impl Tunnel {
    /// One for each pair of families and each format.
    pub(crate) fn all() -> Vec<Self> {
        let mut tunnels = Vec::new();
        for inner in Family::BOTH {
            for outer in Family::BOTH {
                for gue in [false, true] {
                    let vip = inner.vip(10 + u8::try_from(tunnels.len()).unwrap());
                    tunnels.push(Self { vip, outer, gue });
                }
            }
        }
        tunnels
    }

    /// The family of its packets.
    pub(crate) fn inner(&self) -> Family {
        if self.vip.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Has the balancer send each VIP's packets to the backend.
pub(crate) fn balance(bed: &mut Bed, tunnels: &[Tunnel]) {
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

/// Pages that say which backend they come from.
pub(crate) fn serve_pages(backend: &Namespace) -> HttpServer {
    serve_http(backend, SocketAddr::from(([0_u16; 8], 80)), backend.name()).unwrap()
}

/// Whether a client gets a page.
pub(crate) fn is_served(bed: &Bed, vip: IpAddr) -> bool {
    http_get(&bed.client.ns, None, SocketAddr::new(vip, 80), Duration::from_millis(300)).is_ok()
}

/// The backend sees the client's own address, and its answers do not pass the balancer.
pub(crate) fn pages_come_from_the_backend(bed: &Bed, tunnel: &Tunnel) {
    let client = tunnel.inner().of(bed.client.address);
    for _ in 0..5 {
        let to = SocketAddr::new(tunnel.vip, 80);
        let answer = http_get(&bed.client.ns, None, to, Duration::from_secs(5)).unwrap();
        assert_eq!((answer.backend.as_str(), answer.peer.map(|peer| peer.ip())), ("backend1", Some(client)));
    }
}

/// A server on the first backend that stores a file and gives it back: nginx.
pub(crate) struct Files {
    /// Numbers, so that none can be missing, doubled or moved unnoticed.
    content: Vec<u8>,
    _nginx: Server,
}

impl Files {
    /// A file of so many megabytes.
    pub(crate) fn serve(bed: &Bed, megabytes: u32) -> Self {
        let content: Vec<u8> = (0..megabytes << 18).flat_map(u32::to_le_bytes).collect();
        fs::write(bed.scratch.join("local"), &content).unwrap();
        Self { content, _nginx: nginx(&bed.backends[0].ns, &bed.scratch) }
    }

    /// All of it goes through a tunnel and comes back, as it was sent.
    pub(crate) fn travel_both_ways(&self, bed: &Bed, tunnel: &Tunnel) {
        let url = format!("http://{}/file", SocketAddr::new(tunnel.vip, NGINX));
        let [local, stored, arrived] = ["local", "site/file", "arrived"].map(|name| bed.scratch.join(name));
        curl(bed, &["--upload-file", local.to_str().unwrap(), &url]);
        // Not assert_eq: nobody wants to read it twice.
        assert!(fs::read(stored).unwrap() == self.content, "{}: another file arrived", tunnel.vip);
        curl(bed, &["--output", arrived.to_str().unwrap(), &url]);
        assert!(fs::read(&arrived).unwrap() == self.content, "{}: another file came back", tunnel.vip);
        curl(bed, &["--request", "DELETE", &url]);
    }
}

fn curl(bed: &Bed, arguments: &[&str]) {
    let mut command = bed.client.ns.command("curl");
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--globoff"]).args(arguments);
    let output = finish(&mut command, Duration::from_secs(30));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn nginx(backend: &Namespace, scratch: &Path) -> Server {
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

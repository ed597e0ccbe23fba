//! What Prometheus is told: the same as `status`, in a text that its specification allows, at the address that is configured.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lightpath_lab::{HttpServer, Namespace, http_get, serve_http};

use crate::common::{Bed, Family, Output, PATIENCE, Service, Status, eventually, file, finish, number};

pub(crate) const FIRST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9800);
const SECOND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9801);

/// The samples of an answer, by name and labels as they are written.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// What is served to somebody on the balancer's host.
    fn of(host: &Namespace, at: SocketAddr) -> Self {
        let answer = get(host, at, "/metrics", "").expect("metrics are served");
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(
            head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
            "{head}"
        );
        Self::parse(text)
    }

    /// Fails unless the text is as OpenMetrics 1.0 wants it: each sample belongs to the family before it, whose help and type
    /// are told; none is there twice; the end is told.
    fn parse(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").expect("the text ends with its end");
        let (mut helped, mut typed, mut samples) = ("", BTreeSet::new(), BTreeMap::new());
        let (mut family, mut suffix) = ("", "");
        for line in lines.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                helped = help.split_once(' ').expect("a name and its help").0;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, helped, "help comes before the type");
                assert!(typed.insert(name.to_owned()), "{name} is told of twice");
                family = name;
                suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    "gauge" => "",
                    "histogram" => "histogram",
                    _ => panic!("{line}"),
                };
            } else if let Some(unit) = line.strip_prefix("# UNIT ") {
                let (name, unit) = unit.split_once(' ').unwrap();
                assert!(name == family && name.ends_with(&format!("_{unit}")), "{line}");
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                let of_histogram = ["_bucket", "_sum", "_count"].map(|part| format!("{family}{part}"));
                let is_right = if suffix == "histogram" {
                    of_histogram.iter().any(|part| part == name)
                } else {
                    name == format!("{family}{suffix}")
                };
                assert!(is_right, "{line}");
                let value: f64 = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(samples.insert(sample.to_owned(), value).is_none(), "{sample} is there twice");
            }
        }
        Self(samples)
    }

    fn value(&self, sample: &str) -> f64 {
        *self.0.get(sample).unwrap_or_else(|| panic!("no {sample} among {:#?}", self.0.keys()))
    }
}

/// The whole answer to a request, unless nobody listens.
pub(crate) fn get(host: &Namespace, at: SocketAddr, path: &str, head: &str) -> Option<String> {
    let ask = || {
        let mut stream = TcpStream::connect(at).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: lightpath\r\nConnection: close\r\n{head}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        Some(answer)
    };
    host.run(ask).unwrap()
}

/// A service of pages, and one that nobody is behind.
fn configuration(bed: &Bed, node: &str) -> String {
    let web = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    let mut empty = Service::web("empty", Family::V4.vip(11), &bed.addresses(Family::V4)[..1]);
    empty.backends[0].more = "weight = 0\nport = 81";
    file(bed.interfaces, node, &[web, empty])
}

fn serve_pages(bed: &Bed) -> Vec<HttpServer> {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 80));
    bed.backends.iter().map(|backend| serve_http(&backend.ns, everywhere, "page").unwrap()).collect()
}

/// Everything that traffic changes.
fn counted(status: &Status) -> [serde_json::Value; 4] {
    let web = status.service("web");
    [&web["packets"], &web["reply_packets"], &status.0["drops"], &status.0["flows"]].map(Clone::clone)
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn metrics_say_what_status_says() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&configuration(&bed, "metrics = \"127.0.0.1:9800\""));
    for _ in 0..10 {
        let web = SocketAddr::new(Family::V4.vip(10), 80);
        http_get(&bed.client.ns, None, web, PATIENCE).unwrap();
        let empty = SocketAddr::new(Family::V4.vip(11), 80);
        http_get(&bed.client.ns, None, empty, Duration::from_secs(5)).unwrap_err();
    }

    // Whatever somebody asks for, there are no more labels than operations.
    for path in ["/nothing", "/v1/services/nobody/backends", "/v1/status/more"] {
        let mut curl = bed.balancer.ns.command("curl");
        curl.args(["--silent", "--unix-socket", bed.balancer.socket().to_str().unwrap()]);
        let answer = finish(curl.arg(format!("http://localhost{path}")), PATIENCE);
        assert!(String::from_utf8_lossy(&answer.stdout).contains("\"status\":40"), "{answer:?}");
    }
    // The last packets of connections may come between two looks.
    eventually("metrics and status agree", || {
        let before = bed.balancer.status();
        let told = Scrape::of(&bed.balancer.ns, FIRST);
        let status = bed.balancer.status();
        if counted(&before) != counted(&status) {
            return false;
        }
        let backends = status.service("web")["backends"].as_array().unwrap();
        for backend in backends {
            let labels =
                format!("{{service=\"web\",backend=\"{}:80\"}}", backend["address"].as_str().unwrap());
            for (metric, key) in [
                ("packets_total", "packets"),
                ("bytes_total", "bytes"),
                ("reply_packets_total", "reply_packets"),
                ("reply_bytes_total", "reply_bytes"),
                ("new_flows_total", "new_flows"),
                ("weight", "weight"),
                ("flows", "flows"),
            ] {
                let value = told.value(&format!("lightpath_backend_{metric}{labels}"));
                assert!((value - number(&backend[key]) as f64).abs() < 0.5, "{metric}{labels}: {value}");
            }
            assert!(told.value(&format!("lightpath_backend_up{labels}")) > 0.5);
        }
        let forwarded: u64 = backends
            .iter()
            .map(|backend| number(&backend["packets"]) + number(&backend["reply_packets"]))
            .sum();
        assert!(forwarded >= 10 * 7, "{forwarded}");
        let opened: u64 = backends.iter().map(|backend| number(&backend["new_flows"])).sum();
        assert_eq!(opened, 10, "one for each request");
        let cpus =
            told.0.iter().filter(|(name, _)| name.starts_with("lightpath_cpu_forwarded_packets_total"));
        let by_cpu: f64 = cpus.map(|(_, count)| count).sum();
        assert!((by_cpu - forwarded as f64).abs() < 0.5, "{by_cpu} of {forwarded}");
        let drops = number(&status.0["drops"]["no-backend"]);
        assert!(drops >= 10, "{drops}");
        for sample in [
            "lightpath_dropped_packets_total{reason=\"no-backend\"}",
            "lightpath_service_dropped_packets_total{service=\"empty\"}",
            "lightpath_replies_total{kind=\"reset\"}",
        ] {
            assert!((told.value(sample) - drops as f64).abs() < 0.5, "{sample}");
        }
        assert!(told.value("lightpath_service_backends{service=\"empty\",state=\"draining\"}") > 0.5);
        assert!(
            told.value("lightpath_api_requests_total{operation=\"GET /v1/status\",status=\"200\"}") > 0.5
        );
        let nothing = told.value("lightpath_api_requests_total{operation=\"other\",status=\"404\"}");
        assert!((nothing - 2.0).abs() < 0.5, "{nothing}");
        let known =
            ["GET /v1/status", "GET /metrics", "other"].map(|operation| format!("operation=\"{operation}\""));
        for sample in told.0.keys().filter(|sample| sample.starts_with("lightpath_api_requests_total")) {
            assert!(known.iter().any(|operation| sample.contains(operation)), "{sample}");
        }
        assert!(told.value("process_resident_memory_bytes") > 1e6);
        true
    });
    bed.balancer.stop();
    bed.balancer.detach();
}

fn reload(bed: &Bed, node: &str) -> Output {
    bed.balancer.configure(&configuration(bed, node));
    bed.balancer.ask(&["reload"])
}

#[test]
fn a_reload_moves_the_address_or_changes_nothing() {
    let mut bed = Bed::one_armed(1);
    let host = bed.balancer.ns.clone();
    let served = |at| get(&host, at, "/metrics", "").is_some();
    bed.balancer.start_with(&configuration(&bed, ""));
    assert!(!served(FIRST));

    let opened = reload(&bed, "metrics = \"127.0.0.1:9800\"");
    assert_eq!(opened.stdout, "node: metrics nowhere -> 127.0.0.1:9800\n", "{opened:?}");
    Scrape::of(&host, FIRST);
    let moved = reload(&bed, "metrics = \"127.0.0.1:9801\"");
    assert_eq!(moved.stdout, "node: metrics 127.0.0.1:9800 -> 127.0.0.1:9801\n", "{moved:?}");
    Scrape::of(&host, SECOND);
    assert!(!served(FIRST));

    // An address that contains the one that is served, and back.
    for (from, to) in [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")] {
        let moved = reload(&bed, &format!("metrics = \"{to}:9801\""));
        assert_eq!(moved.stdout, format!("node: metrics {from}:9801 -> {to}:9801\n"), "{moved:?}");
        Scrape::of(&host, SECOND);
    }

    // Somebody else has the one, the other is no address of this host.
    let taken = host.run(|| TcpListener::bind(FIRST).unwrap()).unwrap();
    for (at, told) in [("127.0.0.1:9800", "Address already in use"), ("192.0.2.77:9800", "Cannot assign")] {
        let refused = reload(&bed, &format!("metrics = \"{at}\""));
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(&format!("cannot serve metrics at {at}")), "{refused:?}");
        assert!(refused.stderr.contains(told), "{refused:?}");
        Scrape::of(&host, SECOND);
    }
    drop(taken);

    assert!(get(&host, SECOND, "/nothing", "").unwrap().starts_with("HTTP/1.1 404 "));
    // What is the next daemon's from the beginning.
    bed.balancer.configure(&configuration(&bed, "metrics = \"127.0.0.1:9801\""));
    bed.balancer.stop();
    assert!(!served(SECOND));
    bed.balancer.start();
    Scrape::of(&host, SECOND);
    let closed = reload(&bed, "");
    assert_eq!(closed.stdout, "node: metrics 127.0.0.1:9801 -> nowhere\n", "{closed:?}");
    assert!(!served(SECOND));
    bed.balancer.stop();
    bed.balancer.detach();
}

//! Debian's Prometheus reads the metrics of a balancer under traffic: every query of the dashboard finds something, and the alerts
//! come and go.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lightpath_lab::{HttpServer, Namespace, serve_http};
use serde_json::Value;

use crate::common::{Bed, Family, PATIENCE, Server, Service, Traffic, eventually, file, finish};
use crate::metrics::{FIRST, get};

const RULES: &str = include_str!("../../../../contrib/prometheus/lightpath.rules.yml");
const DASHBOARD: &str = include_str!("../../../../contrib/grafana/lightpath.json");
const PROMETHEUS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// The rules with times that a test can wait for.
fn hurried(rules: &str) -> String {
    let mut text = String::new();
    for line in rules.lines() {
        let hurried = match line.split_once("for: ") {
            Some((indent, _)) => format!("{indent}for: 1s"),
            None => ["5m", "15m", "30m"]
                .iter()
                .fold(line.to_owned(), |line, range| line.replace(&format!("[{range}]"), "[10s]")),
        };
        text += &hurried;
        text.push('\n');
    }
    text
}

/// Prometheus in the balancer's network, with its files in a directory of its own.
struct Prometheus {
    host: Namespace,
    _server: Server,
}

impl Prometheus {
    fn start(bed: &Bed, directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("rules.yml"), hurried(RULES)).unwrap();
        let config = "global: { scrape_interval: 500ms, evaluation_interval: 500ms }\nrule_files: [rules.yml]\n\
                      scrape_configs:\n  - job_name: lightpath\n    static_configs: [{ targets: [\"127.0.0.1:9800\"] }]\n";
        let path = directory.join("prometheus.yml");
        fs::write(&path, config).unwrap();
        promtool(&["check", "config", path.to_str().unwrap()]);
        let mut command = bed.balancer.ns.command("prometheus");
        command.arg(format!("--config.file={}", path.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.join("data").display()));
        command.arg(format!("--web.listen-address={PROMETHEUS}"));
        let server = Server::start(&mut command, "prometheus", directory);
        let prometheus = Self { host: bed.balancer.ns.clone(), _server: server };
        eventually("Prometheus has scraped", || {
            get(&prometheus.host, PROMETHEUS, "/-/ready", "").is_some_and(|answer| answer.contains(" 200 "))
                && !prometheus.finds("up == 1").is_empty()
        });
        prometheus
    }

    /// What a query finds now.
    fn finds(&self, query: &str) -> Vec<Value> {
        let mut command = self.host.command("promtool");
        command.args(["query", "instant", "--format=json", &format!("http://{PROMETHEUS}"), query]);
        let output = finish(&mut command, PATIENCE);
        assert!(output.status.success(), "{query}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The alerts that fire, with the backend that they are about.
    fn firing(&self) -> Vec<(String, String)> {
        let label = |alert: &Value, name| alert["metric"][name].as_str().unwrap_or_default().to_owned();
        let alerts = self.finds("ALERTS{alertstate=\"firing\"}");
        alerts.iter().map(|alert| (label(alert, "alertname"), label(alert, "backend"))).collect()
    }
}

fn promtool(arguments: &[&str]) {
    let output = finish(Command::new("promtool").args(arguments), PATIENCE);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

fn write_rules(directory: &Path) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join("lightpath.rules.yml");
    fs::write(&path, RULES).unwrap();
    path
}

fn serve(bed: &Bed) -> Vec<HttpServer> {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 80));
    bed.backends.iter().map(|backend| serve_http(&backend.ns, everywhere, "page").unwrap()).collect()
}

/// The expressions of the dashboard, as Grafana would ask them.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$instance", ".*").replace("$service", ".*");
            queries.push((title.to_owned(), query.replace("$__rate_interval", "10s")));
        }
    }
    queries
}

#[test]
fn prometheus_reads_the_metrics_the_dashboard_finds_data_and_alerts_come_and_go() {
    let mut bed = Bed::one_armed(2);
    let mut servers = serve(&bed);
    let mut web = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    web.more = "health = { type = \"tcp\", interval = \"200ms\", timeout = \"200ms\" }";
    bed.balancer.start_with(&file(bed.interfaces, "metrics = \"127.0.0.1:9800\"", &[web]));
    let directory = bed.balancer.socket().with_file_name("prometheus");
    promtool(&["check", "rules", write_rules(&directory).to_str().unwrap()]);

    // As those read it who know the older format only; promtool complains about names and units that are not as they should be.
    let classic = get(&bed.balancer.ns, FIRST, "/metrics", "Accept: text/plain\r\n").unwrap();
    let (head, text) = classic.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    fs::write(directory.join("metrics"), text).unwrap();
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::from(fs::File::open(directory.join("metrics")).unwrap()));
    let checked = finish(&mut check, PATIENCE);
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");

    let prometheus = Prometheus::start(&bed, &directory);
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    eventually("packets are seen", || {
        !prometheus.finds("rate(lightpath_backend_packets_total[5s]) > 0").is_empty()
    });
    assert_eq!(prometheus.firing(), []);
    traffic.finish();

    drop(servers.pop());
    let dead = format!("{}:80", bed.addresses(Family::V4)[1]);
    let alert = ("LightpathBackendDown".to_owned(), dead);
    eventually("the alert fires", || prometheus.firing().contains(&alert));
    assert_eq!(prometheus.firing(), [alert], "and no other does");
    let queries = queries();
    assert!(queries.len() > 30, "{queries:?}");
    for (panel, query) in queries {
        let mut found = Vec::new();
        eventually(&format!("{panel} finds something by {query}"), || {
            found = prometheus.finds(&query);
            !found.is_empty()
        });
        let numbers = found.iter().filter(|sample| sample["value"][1] != "NaN").count();
        assert!(numbers > 0, "{panel}: {query}: {found:?}");
    }

    drop(servers.pop());
    eventually("nobody takes flows", || {
        prometheus.firing().contains(&("LightpathServiceEmpty".to_owned(), String::new()))
    });
    let _servers = serve(&bed);
    eventually("the alerts resolve", || prometheus.firing().is_empty());
    bed.balancer.stop();
    eventually("it is missed", || prometheus.firing().iter().any(|(name, _)| name == "LightpathUnreachable"));
    bed.balancer.detach();
}

//! The daemon as a service of systemd: what it tells, and what it may do.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::common::{Bed, Family, LIGHTPATH, Output, PATIENCE, Service, Traffic, eventually, file};

use super::remote::Files;
use super::{answers, serve_pages, web, web_file};

const UNIT: &str = include_str!("../../../../../contrib/systemd/lightpath.service");
const INSTANCE_UNIT: &str = include_str!("../../../../../contrib/systemd/lightpath@.service");

/// The socket that a service manager listens on.
struct Manager(UnixDatagram);

impl Manager {
    /// Reads on until the daemon says this; what it has said by then.
    #[track_caller]
    fn hears(&self, wanted: &str) -> String {
        let mut said = String::new();
        let mut message = [0; 1024];
        while !said.lines().any(|line| line == wanted) {
            let Ok(length) = self.0.recv(&mut message) else { panic!("no {wanted} after {said:?}") };
            said.push_str(str::from_utf8(&message[..length]).unwrap());
            said.push('\n');
        }
        said
    }
}

#[test]
fn the_service_manager_is_told_of_start_life_reload_and_end() {
    let mut bed = Bed::one_armed(1);
    let path = bed.scratch.join("notify");
    let manager = Manager(UnixDatagram::bind(&path).unwrap());
    manager.0.set_read_timeout(Some(PATIENCE)).unwrap();
    bed.balancer.configure(&web_file(&bed));
    bed.balancer.start_by(|command| {
        command.env("NOTIFY_SOCKET", &path);
    });

    assert_eq!(manager.hears("READY=1").trim(), "READY=1", "nothing is said before it is true");
    let alive = manager.hears("WATCHDOG=1");
    assert!(alive.contains("STATUS=balancing on eth0; services: 2, backends: 2"), "{alive}");
    assert_eq!(bed.balancer.ask(&["reload"]).code, Some(0));
    assert!(manager.hears("RELOADING=1").contains("MONOTONIC_USEC="));
    manager.hears("READY=1");

    // A reload that is refused is over, too.
    bed.balancer.configure("nonsense");
    assert_eq!(bed.balancer.ask(&["reload"]).code, Some(1));
    manager.hears("RELOADING=1");
    manager.hears("READY=1");
    bed.balancer.stop();
    manager.hears("STOPPING=1");
}

#[test]
fn the_capabilities_of_the_unit_are_enough_and_each_is_needed() {
    let granted = UNIT.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let granted: Vec<String> =
        granted.split(' ').map(|name| name.strip_prefix("CAP_").unwrap().to_lowercase()).collect();
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    let backends = bed.addresses(Family::V4);
    let mut services = web(&bed).to_vec();
    for (host, forward) in [(20, "dsr"), (21, "gue"), (22, "fullnat")] {
        services.push(Service { forward, ..Service::web(forward, Family::V4.vip(host), &backends) });
    }
    services[2].more = "health = { type = \"tcp\", via = \"datapath\", interval = \"200ms\" }";
    bed.accept_vip(Family::V4.vip(20));
    let api = Files::new(&bed);
    let node = format!("metrics = \"127.0.0.1:9800\"\n{}", api.api());
    bed.balancer.configure(&file(bed.interfaces, &node, &services));

    for left_out in &granted {
        let fewer: Vec<&String> = granted.iter().filter(|name| *name != left_out).collect();
        let output = Output::of(&mut with_capabilities(&bed, &fewer));
        let missing = format!("lightpath: lightpath run lacks CAP_{}: ", left_out.to_uppercase());
        assert!(output.code == Some(1) && output.stderr.starts_with(&missing), "{output:?}");
    }
    let all: Vec<&String> = granted.iter().collect();
    for start in 1..=2 {
        // The second one adopts what the first has left.
        let limited = with_capabilities(&bed, &all);
        bed.balancer.start_by(|command| *command = limited);
        for family in Family::BOTH {
            answers(&bed.client.ns, family.vip(10), 30);
        }
        eventually("it is checked through the data plane", || {
            bed.balancer.status().backend("dsr", 0)["state"] == "up"
        });
        // A machine that is busy may be longer about it than the command waits.
        bed.balancer.ask(&["upgrade"]);
        eventually("the successor balances", || {
            bed.balancer.log().matches("\"balancing\"").count() == 2 * start
        });
        assert!(api.answer(&bed));
        let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
        let packets = bed.scratch.join("packets.pcapng");
        let capture = bed.balancer.ask(&["capture", "--write", packets.to_str().unwrap(), "--count", "20"]);
        assert_eq!(capture.code, Some(0), "{capture:?}");
        bed.balancer.configure(&file(bed.interfaces, &node, &services[..4]));
        assert_eq!(bed.balancer.ask(&["reload"]).code, Some(0), "{}", bed.balancer.log());
        traffic.goes_on_for(50);
        traffic.finish();
        bed.balancer.configure(&file(bed.interfaces, &node, &services));
        bed.balancer.stop();
    }
    let log = bed.balancer.log();
    assert!(!log.contains("\"ERROR\"") && !log.contains("not permitted"), "{log}");
    bed.balancer.detach();
}

/// The daemon's command, as systemd would run it: as root, but with these capabilities alone, and no way to more.
fn with_capabilities(bed: &Bed, names: &[&String]) -> Command {
    let run = bed.balancer.run_command();
    let set = names.iter().fold(String::new(), |set, name| set + ",+" + name);
    let mut command = bed.balancer.ns.command("setpriv");
    command.args(["--no-new-privs", &format!("--bounding-set=-all{set}"), &format!("--inh-caps=-all{set}")]);
    command.arg(LIGHTPATH).args(run.get_args());
    command
}

#[test]
fn further_instances_may_do_what_the_first_may_and_no_more() {
    let (unit, instance): (Vec<_>, Vec<_>) = (UNIT.lines().collect(), INSTANCE_UNIT.lines().collect());
    assert_eq!(unit.len(), instance.len());
    for (one, other) in unit.iter().zip(&instance).skip(1) {
        assert!(one == other || other.contains("%i"), "{one} became {other}");
    }
}

//! The command line: exit statuses, messages, and that a refusal changes nothing.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use lightpath_dataplane::{Interface, attach_pass};
use nix::unistd::Uid;

use crate::common::{
    Balancer, Bed, Family, HostState, LIGHTPATH, Output, PATIENCE, Service, file, finish, isolated,
};

/// Runs the program where it is not refused for want of a network: these commands need none.
fn lightpath(arguments: &[&str]) -> Output {
    Output::of(Command::new(LIGHTPATH).args(arguments))
}

#[test]
fn a_wrong_command_line_is_status_2() {
    let rows: [&[&str]; 6] = [
        &[],
        &["frobnicate"],
        &["status", "--frobnicate"],
        &["status", "--instance", "a/b"],
        &["demo", "--requests", "1"],
        &["bench", "--rounds", "many"],
    ];
    for row in rows {
        let output = lightpath(row);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{row:?}: {output:?}");
        assert!(output.stderr.contains("--help"), "{row:?}: {output:?}");
    }
    let output = lightpath(&["status", "--instance", "a/b"]);
    assert!(output.stderr.contains("write 1 to 32 letters, digits, - or _"), "{output:?}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = lightpath(&["--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    let (_, commands) = help.stdout.split_once("\nCommands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    // A command stands at the beginning of its line, what continues an explanation further in.
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<&str> = names.filter(|name| !name.is_empty() && *name != "help").collect();
    for expected in ["demo", "run", "check", "status", "bench", "decap", "doctor", "detach"] {
        assert!(names.contains(&expected), "{help:?}");
    }
    for name in names {
        for flag in ["-h", "--help"] {
            let output = lightpath(&[name, flag]);
            assert_eq!(output.code, Some(0), "{output:?}");
            assert!(output.stdout.contains(&format!("Example:\n  lightpath {name}")), "{}", output.stdout);
        }
    }
}

#[test]
fn version_is_the_packages() {
    let output = lightpath(&["--version"]);
    assert_eq!(output.code, Some(0));
    assert_eq!(output.stdout, format!("lightpath {}\n", env!("CARGO_PKG_VERSION")));
}

const RIGHT: &str = "[node]\ninterfaces = [\"eth0\"]\n
[[service]]\nname = \"web\"\nvip = \"203.0.113.10\"\nport = 80\nprotocol = \"tcp\"\n
[[service.backend]]\naddress = \"10.0.0.11\"\n";

#[test]
fn check_says_what_is_wrong_and_where() {
    let scratch = isolated();
    let path = scratch.join("lightpath.toml");
    let file = path.to_str().unwrap();
    let check = |text: &str, more: &[&str]| {
        fs::write(file, text).unwrap();
        lightpath(&[&["check", "-c", file], more].concat())
    };

    let right = check(RIGHT, &[]);
    assert_eq!(right.code, Some(0), "{right:?}");
    assert_eq!(right.stdout, format!("{file}: valid, 1 service with 1 backend\n"));
    let right = check(RIGHT, &["--json"]).json();
    assert_eq!(right, serde_json::json!({ "valid": true, "services": 1, "backends": 1, "problems": [] }));

    let rows = [
        ("port = 80", "prot = 80", "7:1"),
        ("\"tcp\"", "\"tpc\"", "8:12"),
        ("203.0.113.10", "203.0.113", "6:7"),
        ("[[service]]", "[[service]", "4:"),
    ];
    for (right, wrong, place) in rows {
        let wrong = RIGHT.replace(right, wrong);
        let text = check(&wrong, &[]);
        assert_eq!((text.code, text.stdout.as_str()), (Some(1), ""), "{text:?}");
        assert!(text.stderr.contains(&format!("{file}:{place}")), "{text:?}");
        let json = check(&wrong, &["--json"]);
        assert_eq!((json.code, json.stderr.as_str()), (Some(1), ""), "{json:?}");
        let json = json.json();
        assert_eq!(json["valid"], false, "{json}");
        assert!(!json["problems"].as_array().unwrap().is_empty(), "{json}");
    }
}

#[test]
fn a_missing_file_is_named() {
    for command in ["check", "run"] {
        let output = lightpath(&[command, "--config", "/nonexistent/lightpath.toml"]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains("/nonexistent/lightpath.toml"), "{output:?}");
        let output = lightpath(&[command, "--json", "--config", "/nonexistent/lightpath.toml"]);
        let error = output.json()["error"].clone();
        assert!(error.as_str().unwrap().contains("/nonexistent/lightpath.toml"), "{output:?}");
    }
}

#[test]
fn status_without_a_daemon_says_how_to_start_one() {
    let scratch = isolated();
    let run_dir = scratch.to_str().unwrap();
    let output = lightpath(&["status", "--instance", "other", "--run-dir", run_dir]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    let expected = "lightpath: the daemon of instance other is not running; start it with `lightpath run`";
    assert!(output.stderr.starts_with(expected), "{output:?}");
}

/// Runs the daemon, which must refuse: with this message and without having changed anything.
fn is_refused(balancer: &Balancer, more: &[&str], message: &str) {
    let before = HostState::of(&balancer.ns);
    let output = Output::of(balancer.run_command().args(more));
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    let said = output.stderr.lines().last().unwrap();
    assert!(said.starts_with(&format!("lightpath: {message}")), "{output:?}");
    before.is_back(&balancer.ns);
    let status = balancer.ask(&["status"]);
    assert!(status.stderr.contains("is not running; start it"), "{status:?}");
}

/// A configuration of both families on these interfaces.
fn configuration(interfaces: &[&str], node: &str) -> String {
    let backends: [[std::net::IpAddr; 1]; 2] =
        [["10.0.0.11".parse().unwrap()], ["2001:db8:0:1::11".parse().unwrap()]];
    let services = Family::BOTH.into_iter().zip(&backends);
    let services: Vec<Service> = services
        .map(|(family, backends)| Service::web(&format!("web{family:?}"), family.vip(10), backends))
        .collect();
    file(interfaces, node, &services)
}

/// A bed whose balancer is a host, not a router: a start that went ahead would show in its sysctls.
fn host() -> Bed {
    let bed = Bed::one_armed(1);
    bed.balancer.ns.sysctl("net.ipv4.ip_forward", "0").unwrap();
    bed.balancer.ns.sysctl("net.ipv6.conf.all.forwarding", "0").unwrap();
    bed
}

#[test]
fn run_refuses_an_interface_that_is_not_there() {
    let bed = host();
    bed.balancer.configure(&configuration(&["eth0", "eth7"], ""));
    is_refused(&bed.balancer, &[], "there is no interface eth7; `ip link` lists those of this host");
}

#[test]
fn run_leaves_a_foreign_program_alone() {
    let bed = host();
    let ns = &bed.balancer.ns;
    let _foreign = ns.run(|| attach_pass("eth0")).unwrap().unwrap();
    let program = ns.run(|| Interface::named("eth0")).unwrap().unwrap().xdp.unwrap();
    bed.balancer.configure(&configuration(&["eth0"], ""));
    let message = format!(
        "eth0 already has the XDP program \"lightpath_pass\" (id {}) of another application, which is left alone; stop \
         that application, or take its program off with: ip link set dev eth0 xdp off",
        program.id
    );
    is_refused(&bed.balancer, &[], &message);
}

#[test]
fn run_refuses_pins_outside_a_bpf_file_system() {
    let bed = host();
    bed.balancer.configure(&configuration(&["eth0"], ""));
    let directory = bed.scratch.join("no-bpf");
    let directory = directory.to_str().unwrap();
    let message =
        format!("{directory}/default is not on a BPF file system; run: mount -t bpf bpf /sys/fs/bpf");
    is_refused(&bed.balancer, &["--bpf-dir", directory], &message);
    assert!(!fs::exists(directory).unwrap());
}

#[test]
fn run_refuses_a_driver_without_xdp_when_told_native() {
    let bed = host();
    bed.balancer.ns.add_bridge("br0").unwrap();
    bed.balancer.configure(&configuration(&["eth0", "br0"], "xdp_mode = \"native\""));
    is_refused(&bed.balancer, &[], "br0 cannot run XDP in its driver");
}

#[test]
fn run_prints_every_mistake_of_a_file() {
    let bed = host();
    let wrong = configuration(&["eth0"], "").replace("port = 80", "port = 0");
    bed.balancer.configure(&wrong);
    let before = HostState::of(&bed.balancer.ns);
    let output = Output::of(&mut bed.balancer.run_command());
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 2, "one for each family: {output:?}");
    before.is_still(&bed.balancer.ns);
}

/// A user who is nobody, and whose configuration file is right.
#[test]
fn commands_that_need_capabilities_name_those_that_are_missing() {
    let nobody = Uid::from_raw(65534);
    let scratch = isolated();
    let path = scratch.join("lightpath.toml");
    fs::write(&path, RIGHT).unwrap();
    // By descriptors, because program and file may be below a directory that nobody may enter.
    let program = File::open(LIGHTPATH).unwrap();
    let program = format!("/proc/self/fd/{}", program.as_raw_fd());
    let rows: [(&[&str], &str); 4] = [
        (
            &["run", "-c", "/proc/self/fd/0"],
            "lightpath run lacks CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON",
        ),
        (&["doctor"], "lightpath doctor lacks CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON"),
        (&["demo"], "lightpath demo lacks CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_SYS_ADMIN"),
        (&["detach"], "lightpath detach lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"),
    ];
    for (arguments, missing) in rows {
        let mut command = Command::new(&program);
        command.args(arguments).uid(nobody.as_raw()).stdin(File::open(&path).unwrap());
        let output = finish(&mut command, PATIENCE);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let expected = format!(
            "lightpath: {missing}: it loads BPF programs and changes network interfaces; run it as root, or by a unit that grants \
             that\n"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn the_manual_has_a_page_for_every_command_and_completions_for_shells() {
    let scratch = isolated();
    let directory = scratch.join("manual");
    let output = lightpath(&["manual", directory.to_str().unwrap()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let page = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    for name in ["lightpath.1", "lightpath-run.1", "lightpath-doctor.1", "lightpath-backend-drain.1"] {
        assert!(page(name).contains(".SH SYNOPSIS"), "{name}");
    }
    for name in ["lightpath.bash", "_lightpath", "lightpath.fish"] {
        assert!(page(name).contains("doctor"), "{name}");
    }
    assert!(!directory.join("lightpath-manual.1").exists(), "it is for packages, not for operators");
}

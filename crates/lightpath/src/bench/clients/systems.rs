//! The systems: how each is configured and started to do the same work.

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use ipnet::IpNet;
use lightpath_lab::KillOnDrop;

use super::network::{CLOSING, KEEPING, Stand, Started, System, vip};
use crate::bench::daemon::{Daemon, LOG};
use crate::bench::installed::installed;
use crate::bench::nft;

/// The link of the balancer towards clients, and that towards backends.
pub(super) const LINKS: [&str; 2] = ["eth0", "eth1"];

/// Those that are installed; the first is what the others are compared with.
pub(super) fn all(missing: &mut Vec<String>) -> Vec<System> {
    let mut systems = vec![
        System {
            name: "direct: plain routing",
            word: "direct",
            carries_udp: true,
            is_direct: true,
            start: |_| Ok(Started::default()),
        },
        System {
            name: "Lightpath, nat",
            word: "lightpath",
            carries_udp: true,
            is_direct: false,
            start: lightpath,
        },
    ];
    let others = [
        ("nft", "nftables DNAT", true, nftables as fn(&Stand) -> Result<Started>),
        ("haproxy", "HAProxy, TCP", false, haproxy),
        ("nginx", "NGINX, stream", true, nginx),
    ];
    for (program, name, carries_udp, start) in others {
        if installed(program, missing) && (program != "nginx" || has_stream(missing)) {
            systems.push(System { name, word: program, carries_udp, is_direct: false, start });
        }
    }
    systems
}

/// NGINX's module for what is not HTTP, where Debian has it.
const STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

fn has_stream(missing: &mut Vec<String>) -> bool {
    let there = Path::new(STREAM).is_file();
    if !there {
        missing.push("nginx's stream module".to_owned());
    }
    there
}

/// The real daemon.
fn lightpath(stand: &Stand) -> Result<Started> {
    let [clients, backends] = LINKS;
    let (vip, backend) = (vip(), stand.backend());
    let services = [("tcp", KEEPING), ("tcp", CLOSING), ("udp", KEEPING)].map(|(protocol, port)| {
        format!(
            "[[service]]\nname = \"{protocol}{port}\"\nvip = \"{vip}\"\nport = {port}\nprotocol = \"{protocol}\"\n\
             forward = \"nat\"\n[[service.backend]]\naddress = \"{backend}\"\n"
        )
    });
    let text = format!("[node]\ninterfaces = [\"{clients}\", \"{backends}\"]\n{}", services.concat());
    let daemon = Daemon::start(&stand.lab.balancer.ns, &stand.scratch, &text)?;
    Ok(Started { pins: Some(daemon.pins()), process: Some(daemon.process), version: None })
}

fn nftables(stand: &Stand) -> Result<Started> {
    let (vip, backend) = (vip(), stand.backend());
    nft::load(
        &stand.lab.balancer.ns,
        &format!(
            "table ip nat {{\n chain in {{\n  type nat hook prerouting priority dstnat;\n  ip daddr {vip} dnat to {backend}\n }}\n}}\n"
        ),
    )?;
    Ok(Started { version: version("nft", "--version"), ..Started::default() })
}

fn haproxy(stand: &Stand) -> Result<Started> {
    take_vip(stand)?;
    let (vip, backend) = (vip(), stand.backend());
    let ports = [KEEPING, CLOSING]
        .map(|port| format!("listen port{port}\n bind {vip}:{port}\n server backend {backend}:{port}\n"));
    let text = format!(
        "global\n nbthread 1\n maxconn 4000\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n{}",
        ports.concat()
    );
    let file = stand.write("haproxy.cfg", &text)?;
    let mut command = stand.lab.balancer.ns.command("haproxy");
    command.arg("-db").arg("-f").arg(file);
    Ok(Started { process: Some(start(stand, &mut command)?), version: version("haproxy", "-v"), pins: None })
}

fn nginx(stand: &Stand) -> Result<Started> {
    take_vip(stand)?;
    let (vip, backend) = (vip(), stand.backend());
    let servers: String = [(KEEPING, ""), (CLOSING, ""), (KEEPING, " udp")]
        .map(|(port, udp)| format!(" server {{ listen {vip}:{port}{udp}; proxy_pass {backend}:{port}; }}\n"))
        .concat();
    let scratch = stand.scratch.display();
    let text = format!(
        "load_module {STREAM};\ndaemon off;\nmaster_process off;\npid {scratch}/pid;\n\
         error_log stderr;\nevents {{ worker_connections 4096; }}\nstream {{\n{servers}}}\n"
    );
    let file = stand.write("nginx.conf", &text)?;
    let mut command = stand.lab.balancer.ns.command("nginx");
    command.args(["-e", "stderr", "-c"]).arg(file);
    Ok(Started { process: Some(start(stand, &mut command)?), version: version("nginx", "-v"), pins: None })
}

/// Makes the VIP an address of the balancer, for systems that accept connections themselves.
fn take_vip(stand: &Stand) -> Result<()> {
    Ok(stand.lab.balancer.ns.add_address("lo", IpNet::from(IpAddr::from(vip())))?)
}

/// Starts a process that writes to the stand's log.
fn start(stand: &Stand, command: &mut Command) -> Result<KillOnDrop> {
    let log = File::create(stand.scratch.join(LOG))?;
    Ok(KillOnDrop(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?))
}

/// The first line that a program says of itself.
fn version(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    // nginx says it on standard error.
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().map(|line| line.trim().to_owned())
}

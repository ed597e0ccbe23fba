//! What the daemon takes of the host's memory.

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use lightpath_lab::Namespace;

use crate::common::{Bed, Family, Service, file, ip};

/// What the daemon may take for itself with 1,000 backends. What it has of files, its code, the kernel can take back; without
/// optimisation that is several times as large.
const MOST_KIB: u64 = 10 * 1024;

#[test]
fn a_thousand_backends_take_little_memory() {
    let mut bed = Bed::one_armed(0);
    let services: Vec<Service> = (0..10)
        .map(|service| {
            let family = Family::BOTH[usize::from(service % 2)];
            let backends: Vec<IpAddr> = (1..=100).map(|host| backend(family, service, host)).collect();
            Service::web(&format!("web{service}"), family.vip(10 + service), &backends)
        })
        .collect();
    resolve(&bed.balancer.ns, &bed.scratch, &services);
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    let status = bed.balancer.status();
    let backends =
        services.iter().flat_map(|service| status.service(&service.name)["backends"].as_array().unwrap());
    assert_eq!(backends.filter(|backend| backend["state"] == "up").count(), 1000);
    let [resident, own, files, most] =
        ["VmRSS", "RssAnon", "RssFile", "VmHWM"].map(|field| memory_kib(bed.balancer.pid(), field));
    println!("{resident} KiB resident: {own} of its own, {files} of its files; {most} at most so far");
    assert!(own < MOST_KIB, "{own} KiB of its own");
}

/// Backends need not be there, only be in the balancer's network.
fn backend(family: Family, service: u8, host: u8) -> IpAddr {
    match family {
        Family::V4 => [10, 1, service, host].into(),
        Family::V6 => [0x2001, 0xdb8, 1, 0, 0, 0, service.into(), host.into()].into(),
    }
}

/// Gives every backend a hardware address in the balancer's neighbour table, for good.
fn resolve(host: &Namespace, scratch: &Path, services: &[Service]) {
    for prefix in ["10.1.255.1/16", "2001:db8:1::ffff:1/64"] {
        host.add_address("eth0", prefix.parse().unwrap()).unwrap();
    }
    let mut batch = String::new();
    for backend in services.iter().flat_map(|service| &service.backends) {
        let address = backend.address;
        writeln!(batch, "neigh add {address} lladdr 02:00:00:00:00:99 dev eth0 nud permanent").unwrap();
    }
    let file = scratch.join("neighbours");
    fs::write(&file, batch).unwrap();
    ip(host, &format!("-batch {}", file.display()));
}

/// A line of /proc/PID/status (proc_pid_status(5)).
fn memory_kib(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

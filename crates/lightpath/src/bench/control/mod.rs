//! What configurations of different sizes take: to build their tables, to start, to change; and memory.

mod size;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipnet::IpNet;
use lightpath_control::hops::Vlans;
use lightpath_control::reconcile::Reconciler;
use lightpath_dataplane::bench::map_bytes;
use lightpath_dataplane::{Dataplane, Pins};
use lightpath_lab::topology::OneArmed;

use super::balancer::{LINK, hops, parsed, reconcile};
use super::daemon::{Daemon, resident};
use super::progress::Progress;
use super::report::control::{Control, Taken};
use super::statistics::median;
use crate::daemon::{Kernel, spec};
use size::Size;

/// The usual.
pub(super) const USUAL: &[Size] = &[
    Size { services: 1, backends: 10, slots: 65_537 },
    Size { services: 10, backends: 10, slots: 65_537 },
    Size { services: 100, backends: 10, slots: 1_021 },
    Size { services: 1_000, backends: 10, slots: 1_021 },
    Size { services: 1, backends: 1_000, slots: 100_003 },
    Size { services: 1, backends: 10_000, slots: 100_003 },
];
/// A first look.
pub(super) const QUICK: &[Size] =
    &[Size { services: 1, backends: 10, slots: 65_537 }, Size { services: 100, backends: 10, slots: 1_021 }];

/// How often each time is taken.
const TIMES: u16 = 5;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Measures configurations of these sizes.
pub(super) fn measure(sizes: &[Size], progress: &Progress) -> Result<Control> {
    let scratch = lightpath_lab::isolate()?;
    progress.begin("measuring configurations", sizes.len() as u64);
    let mut taken = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let directory = scratch.join(format!("size{number}"));
        fs::create_dir(&directory)?;
        let measured = measure_size(*size, &directory);
        taken.push(measured.with_context(|| {
            format!("cannot measure {} services of {} backends", size.services, size.backends)
        })?);
        progress.step();
    }
    Ok(Control { times: TIMES, sizes: taken })
}

fn measure_size(size: Size, directory: &Path) -> Result<Taken> {
    let (build_ms, rebuild_ms) = build(size, directory)?;
    let lab = host(size)?;
    let started = Instant::now();
    let mut daemon = Daemon::start(&lab.balancer.ns, directory, &size.file(0))?;
    daemon.wait()?;
    let start = started.elapsed();
    let mut reloads = Vec::new();
    for change in 1..=TIMES {
        let began = Instant::now();
        daemon.reload(&size.file(change))?;
        reloads.push(milliseconds(began.elapsed()));
    }
    Ok(Taken {
        services: size.services,
        backends: size.backends,
        slots: size.slots,
        build_ms,
        rebuild_ms,
        start_ms: milliseconds(start),
        reload_ms: median(&reloads),
        resident_bytes: resident(daemon.process.0.id())?,
        map_bytes: map_bytes(&daemon.pins())?,
    })
}

/// A host that knows all its backends.
fn host(size: Size) -> Result<OneArmed> {
    let lab = OneArmed::new(0)?;
    let host = &lab.balancer.ns;
    host.add_address(LINK, IpNet::new([10, 99, 255, 254].into(), 16)?)?;
    let backends = u32::from(size.services) * u32::from(size.backends);
    let neighbours: Vec<(IpAddr, [u8; 6])> =
        (0..backends).map(|number| (size::address(number), MAC)).collect();
    host.add_neighbours(LINK, &neighbours)?;
    Ok(lab)
}

/// Milliseconds to fill empty tables, and to change them for one backend's weight.
fn build(size: Size, directory: &Path) -> Result<(f64, f64)> {
    let (mut builds, mut rebuilds) = (Vec::new(), Vec::new());
    for number in 0..TIMES {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let pins = Pins::new(Path::new("/sys/fs/bpf"), &format!("{name}-tables{number}"));
        let config = parsed(&size.file(0))?;
        let hops = hops(&config, 1);
        let mut kernel = Kernel(Dataplane::open(&pins, &spec(&config, &Vlans::default())?)?);
        let mut reconciler = Reconciler::new(config, &kernel.0.tables());
        let began = Instant::now();
        reconcile(&mut reconciler, &hops, &mut kernel)?;
        builds.push(milliseconds(began.elapsed()));
        reconciler.configure(parsed(&size.file(1))?);
        let began = Instant::now();
        reconcile(&mut reconciler, &hops, &mut kernel)?;
        rebuilds.push(milliseconds(began.elapsed()));
        drop(kernel);
        fs::remove_dir_all(pins.directory())
            .with_context(|| format!("cannot remove {}", pins.directory().display()))?;
    }
    Ok((median(&builds), median(&rebuilds)))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

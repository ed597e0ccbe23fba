//! A link with the real daemon's data plane at one end, and a generator and a sink at the other.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipnet::IpNet;
use lightpath_dataplane::Interface;
use lightpath_dataplane::bench::{Generator, Sink};
use lightpath_lab::{Namespace, Route, veth};

use crate::bench::balancer::{LINK, OWN};
use crate::bench::daemon::Daemon;
use crate::bench::frame::{OWN_MAC, PEER_MAC, PORT, VIP4, backend, datagram};
use crate::bench::statistics::{low, nanoseconds};
use crate::bench::{in_a_thread, stay_on_one_cpu};

/// Packets that the generator sends at a stretch: some take less time than the kernel lets a process have, so that not every one is
/// disturbed where the CPU is busy with something else as well.
const STRETCH: u32 = 10_000;
const FLOWS: u32 = 1 << 16;
/// Who is at the other end of the link, for the routes to backends.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
/// Where metrics are.
pub(super) const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9800);
/// How long a program may take until it is exchanged.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nanoseconds for each packet that came back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Over all of the time, whatever else happened in it.
    pub(super) mean: f64,
    /// In a stretch that little disturbed, by the generator's own clock.
    pub(super) undisturbed: f64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Stand {
    /// Where the daemon is.
    pub(super) host: Namespace,
    pub(super) daemon: Daemon,
    world: Namespace,
    generator: Generator,
    sink: Sink,
}

impl Stand {
    /// Makes the link, and starts the daemon with so many services of so many backends, of which one service gets the packets.
    pub(super) fn open(directory: &Path, services: u16, backends: u16) -> Result<Self> {
        let (world, host) = (Namespace::new("world")?, Namespace::new("forwarder")?);
        veth((&world, LINK), (&host, LINK))?;
        world.set_mac(LINK, PEER_MAC)?;
        host.set_mac(LINK, OWN_MAC)?;
        host.add_address(LINK, IpNet::new(OWN.into(), 24)?)?;
        host.add_neighbour(LINK, ROUTER.into(), PEER_MAC)?;
        host.add_route(&Route::to("10.1.0.0/16".parse()?).via(ROUTER.into()).dev(LINK))?;
        let sink = world.run(|| Sink::new(LINK))??;
        let mut daemon = Daemon::start(&host, directory, &configuration(services, backends))?;
        daemon.wait()?;
        let packet = datagram(VIP4)?;
        let generator = world.run(|| Generator::new(LINK, packet, FLOWS))??;
        Ok(Self { host, daemon, world, generator, sink })
    }

    /// Sends for so long, from one CPU.
    pub(super) fn send(&mut self, time: Duration) -> Result<Pace> {
        let Self { world, generator, sink, .. } = self;
        in_a_thread(|| {
            stay_on_one_cpu()?;
            let before = sink.packets()?;
            let began = Instant::now();
            let (mut sent, mut stretches) = (0, Vec::new());
            while began.elapsed() < time {
                let stretch = world.run(|| generator.send(STRETCH))??;
                sent += u64::from(STRETCH);
                stretches.push(nanoseconds(stretch.time) / count(stretch.packets));
            }
            let elapsed = began.elapsed();
            let came_back = sink.packets()? - before;
            ensure!(came_back > sent / 2, "of {sent} packets {came_back} came back");
            Ok(Pace { mean: nanoseconds(elapsed) / count(came_back), undisturbed: low(&stretches) })
        })
    }

    /// The program that packets meet.
    pub(super) fn program(&self) -> Result<u32> {
        let interface = self.host.run(|| Interface::named(LINK))??;
        Ok(interface.xdp.map_or(0, |attached| attached.id))
    }

    /// Waits until packets meet this program, or one other than this.
    pub(super) fn wait_for(&self, program: u32, is_it: bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while (self.program()? == program) != is_it {
            ensure!(Instant::now() < deadline, "the program that runs is not exchanged");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn configuration(services: u16, backends: u16) -> String {
    let mut text =
        format!("[node]\ninterfaces = [\"{LINK}\"]\nannounce = \"none\"\nmetrics = \"{METRICS}\"\n");
    for service in 0..services {
        let [high, low] = service.to_be_bytes();
        let vip: IpAddr = if service == 0 { VIP4.into() } else { Ipv4Addr::new(198, 18, high, low).into() };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[service]]\nname = \"s{service}\"\nvip = \"{vip}\"\nport = {PORT}\nprotocol = \"udp\"\nforward = \"nat\"\nslots = 1021\n"
        );
        for place in 1..=backends {
            let _ = writeln!(
                text,
                "[[service.backend]]\naddress = \"{}\"",
                backend(false, service * backends + place)
            );
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "packets of a measurement are far fewer than 2^52")]
fn count(packets: u64) -> f64 {
    packets as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_its_size_and_a_service_for_the_packets() {
        let config = crate::bench::balancer::parsed(&configuration(3, 4)).unwrap();
        assert_eq!(config.services.len(), 3);
        assert!(config.services.iter().all(|service| service.backends.len() == 4));
        assert_eq!(config.services[0].vip, IpAddr::from(VIP4));
    }
}

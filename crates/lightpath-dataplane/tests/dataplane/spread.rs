//! Packets spread over CPUs by the kernel, and balanced there.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use lightpath_dataplane::{Capacity, Cpus, Dataplane, Error, PassProgram, Spec, XdpMode, attach_pass};
use lightpath_testkit::cases::contents;
use lightpath_testkit::packet::tcp;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket, sockopt,
};

use crate::lab::{Lab, in_lab, spec};

const FLOWS: u16 = 32;
const OF_EACH: u32 = 20;
const ALL: u64 = FLOWS as u64 * OF_EACH as u64;

/// A socket for whole frames on the far end of a link of the node.
fn wire(lab: &Lab, link: &str) -> OwnedFd {
    let open = || {
        let socket =
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll)
                .unwrap();
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        let mut links = getifaddrs().unwrap().filter(|entry| entry.interface_name == link);
        let address = links.find_map(|entry| entry.address?.as_link_addr().copied()).unwrap();
        bind(socket.as_raw_fd(), &address).unwrap();
        socket
    };
    lab.neighbours.run(open).unwrap()
}

/// The far ends of the node's links.
struct Ends {
    front: OwnedFd,
    back: OwnedFd,
    /// A veth takes what is redirected to it only if its peer has a program.
    _takes: PassProgram,
}

impl Ends {
    fn of(lab: &Lab) -> Self {
        let takes = lab.neighbours.run(|| attach_pass("back").unwrap()).unwrap();
        Self { front: wire(lab, "front"), back: wire(lab, "back"), _takes: takes }
    }

    /// Sends packets of all flows in turn, numbered in each, and gives what comes out at the backends.
    fn balance(&self) -> Vec<Vec<u8>> {
        for number in 0..OF_EACH {
            for flow in 0..FLOWS {
                let client = format!("198.51.100.10:{}", 4000 + flow);
                self.send(&tcp(&client, "203.0.113.10:80").sequence(number).build());
            }
        }
        let mut came = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        while came.len() < usize::try_from(ALL).unwrap() && Instant::now() < deadline {
            let mut buffer = [0; 2048];
            match recv(self.back.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                // Others are of the kernels', such as neighbour discovery.
                Ok(length) if buffer[12..14] == [8, 0] => came.push(buffer[..length].to_vec()),
                Ok(_) => {}
                Err(nix::Error::EAGAIN) => thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
        }
        came
    }

    fn send(&self, packet: &[u8]) {
        while let Err(error) = send(self.front.as_raw_fd(), packet, MsgFlags::empty()) {
            assert!(matches!(error, nix::Error::EAGAIN | nix::Error::ENOBUFS), "{error}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Source port and sequence number, each of 14 bytes of Ethernet and 20 of IPv4.
fn of_flow(packet: &[u8]) -> (u16, u32) {
    let port = u16::from_be_bytes(packet[34..36].try_into().unwrap());
    (port, u32::from_be_bytes(packet[38..42].try_into().unwrap()))
}

/// Fails unless all packets came, those of a flow in their order; gives them sorted.
fn in_order(came: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    assert_eq!(came.len() as u64, ALL);
    let mut flows: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for (port, number) in came.iter().map(|packet| of_flow(packet)) {
        flows.entry(port).or_default().push(number);
    }
    assert_eq!(flows.len(), usize::from(FLOWS));
    let numbers: Vec<u32> = (0..OF_EACH).collect();
    assert!(flows.values().all(|of_flow| *of_flow == numbers), "{flows:?}");
    let mut sorted = came;
    sorted.sort();
    sorted
}

fn over(cpus: &[u32], lab: &Lab) -> Spec {
    Spec { spread: cpus.iter().copied().collect(), ..spec(&contents(&lab.node)) }
}

fn run(lab: &Lab, spec: &Spec) -> Dataplane {
    let mut dataplane = Dataplane::open(&lab.pins, spec).unwrap();
    dataplane.apply(&contents(&lab.node).image).unwrap();
    dataplane.attach(&["front".into(), "back".into()], XdpMode::Native).unwrap();
    dataplane
}

/// What was given to all CPUs, and taken by each, once it is the same.
fn taken(dataplane: &Dataplane) -> Vec<u64> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let spread = dataplane.counters().unwrap().spread;
        if spread.iter().all(|cpu| cpu.given == cpu.taken) || Instant::now() > deadline {
            assert!(spread.iter().all(|cpu| cpu.given == cpu.taken), "{spread:?}");
            return spread.iter().map(|cpu| cpu.taken).collect();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn forwarded(dataplane: &Dataplane) -> u64 {
    dataplane.counters().unwrap().backends.values().map(|backend| backend.packets).sum()
}

#[test]
fn packets_leave_as_they_do_without_and_in_order_also_when_it_is_switched_on_and_off() {
    in_lab(|lab| {
        let ends = Ends::of(lab);
        let first = run(lab, &over(&[], lab));
        let expected = in_order(ends.balance());
        assert!(first.counters().unwrap().spread.is_empty());
        drop(first);

        let spread = run(lab, &over(&[0, 1], lab));
        assert_eq!(in_order(ends.balance()), expected);
        let by_cpu = taken(&spread);
        assert_eq!(by_cpu.iter().sum::<u64>(), ALL);
        assert!(by_cpu.iter().all(|count| *count > ALL / 5), "{by_cpu:?}");
        assert_eq!(forwarded(&spread), 2 * ALL);
        drop(spread);

        let off = run(lab, &over(&[], lab));
        assert_eq!(in_order(ends.balance()), expected);
        assert_eq!((taken(&off), forwarded(&off)), (by_cpu, 3 * ALL), "what was counted stays");
        drop(off);

        // Larger maps take over what is in them, and count on.
        let larger = over(&[1], lab);
        let capacity = larger.capacity;
        let capacity = Capacity { slots: 2 * capacity.slots, directory: 2 * capacity.directory, ..capacity };
        let again = run(lab, &Spec { capacity, ..larger });
        assert_eq!(in_order(ends.balance()), expected);
        assert_eq!(taken(&again).iter().sum::<u64>(), 2 * ALL);
        assert_eq!(forwarded(&again), 4 * ALL);
    });
}

#[test]
fn what_is_nobodys_stays_with_the_kernel() {
    in_lab(|lab| {
        let ends = Ends::of(lab);
        let spread = run(lab, &over(&[0, 1], lab));
        for port in 0..50 {
            ends.send(&tcp(&format!("198.51.100.10:{}", 5000 + port), "192.0.2.99:80").build());
        }
        in_order(ends.balance());
        assert_eq!(taken(&spread).iter().sum::<u64>(), ALL);
    });
}

#[test]
fn a_cpu_that_does_not_exist_is_refused_by_its_number_and_what_runs_goes_on() {
    in_lab(|lab| {
        let ends = Ends::of(lab);
        let running = run(lab, &over(&[], lab));
        let none = Cpus::MOST - 1;
        let refused = Dataplane::open(&lab.pins, &over(&[0, none], lab)).unwrap_err();
        assert!(matches!(refused, Error::Spread { cpu, .. } if cpu == none), "{refused}");
        assert!(refused.to_string().contains("correct `spread` in [node]"), "{refused}");
        in_order(ends.balance());
        assert_eq!(forwarded(&running), ALL);
    });
}

//! The load balancer of a tutorial: parse, one hash map of all flows, other addresses, and the IP checksum from scratch.
//!
//! It is what everybody's first XDP load balancer looks like, and stands in the results as a known point: it leaves out TCP's and
//! UDP's checksums, so nobody would take its packets, and nothing about it can be configured.

use aya_ebpf::bindings::{BPF_ANY, xdp_action};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::XdpContext;

use crate::memory::{get, put};

/// A flow, in the byte order of the network.
#[repr(C)]
#[derive(Clone, Copy)]
struct Flow {
    source: u32,
    destination: u32,
    ports: u32,
    protocol: u32,
}

/// The backend of each flow: two million, enough for all that are measured with.
#[map]
static SEED_FLOWS: HashMap<Flow, u32> = HashMap::with_max_entries(1 << 21, 0);

/// 203.0.113.10, the service of the packets that all rows are measured with.
const VIP: u32 = u32::from_ne_bytes([203, 0, 113, 10]);
const IPV4: u16 = 0x0800_u16.to_be();
const TCP: u8 = 6;
const UDP: u8 = 17;
/// An Ethernet header, an IPv4 header without options, and both ports.
const HEADERS: usize = 14 + 20 + 4;
const BACKENDS: u32 = 3;

/// Forwards packets to the service, each flow to a backend of its own.
#[xdp(frags)]
pub fn seed(context: XdpContext) -> u32 {
    let start = context.data();
    if start + HEADERS > context.data_end() {
        return xdp_action::XDP_PASS;
    }
    let (ethertype, version): (u16, u8) = (get(start, 12), get(start, 14));
    let protocol: u8 = get(start, 23);
    let destination: u32 = get(start, 30);
    if ethertype != IPV4 || version != 0x45 || destination != VIP || !matches!(protocol, TCP | UDP) {
        return xdp_action::XDP_PASS;
    }
    let flow =
        Flow { source: get(start, 26), destination, ports: get(start, 34), protocol: u32::from(protocol) };
    let known = SEED_FLOWS.get_ptr(flow);
    let backend = match known {
        // SAFETY: values are numbers, of which any is a backend; one that is written anew meanwhile is still a number.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        Some(backend) => unsafe { *backend },
        None => {
            let backend = (flow.source ^ flow.ports).wrapping_mul(0x9e37_79b1) % BACKENDS;
            // Without room the flow is still forwarded, and chosen for anew with its next packet.
            let _ = SEED_FLOWS.insert(flow, backend, u64::from(BPF_ANY));
            backend
        }
    };
    let number = (backend + 1) as u8;
    put(start, 0, [2, 0, 0, 0, 1, number, 2, 0, 0, 0, 0, 1_u8]);
    put(start, 30, [10, 0, 0, number]);
    put(start, 24, 0_u16);
    put(start, 24, checksum(start));
    xdp_action::XDP_TX
}

/// The checksum of an IPv4 header of 20 bytes (RFC 1071).
#[inline(always)]
fn checksum(start: usize) -> u16 {
    let mut sum = 0;
    for offset in (14..34).step_by(2) {
        sum += u32::from(get::<u16>(start, offset));
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

//! The kernel's routing, as the packet path asks it.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{
    BPF_FIB_LKUP_RET_BLACKHOLE, BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_FWD_DISABLED, BPF_FIB_LKUP_RET_NO_NEIGH,
    BPF_FIB_LKUP_RET_PROHIBIT, BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_UNREACHABLE,
};
use aya_ebpf::helpers::bpf_fib_lookup;
use aya_ebpf::programs::XdpContext;
use lightpath_abi::{Address, NextHop};
use lightpath_core::{Reason, Route, RouteQuery};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `struct bpf_fib_lookup` of the kernel's uapi/linux/bpf.h, with one name for each union. Fields that are numbers to the
/// network are octets here.
#[repr(C)]
struct Lookup {
    family: u8,
    protocol: u8,
    source_port: u16,
    destination_port: u16,
    length: u16,
    /// In: the interface of arrival. Out: the one to leave by.
    interface: u32,
    /// IPv4: the type of service, first. IPv6: version, traffic class and flow label.
    tos: [u8; 4],
    source: [u8; 16],
    destination: [u8; 16],
    vlan: u32,
    source_mac: [u8; 6],
    mac: [u8; 6],
}

const _: () = assert!(size_of::<Lookup>() == size_of::<aya_ebpf::bindings::bpf_fib_lookup>());

/// Where the kernel would forward such a packet that arrived with this context.
#[inline(always)]
pub fn route(context: &XdpContext, query: &RouteQuery) -> Route {
    let mut lookup = Lookup {
        family: if query.v4 { AF_INET } else { AF_INET6 },
        protocol: 0,
        source_port: 0,
        destination_port: 0,
        length: query.length,
        interface: context.ingress_ifindex() as u32,
        tos: if query.v4 { [query.tos, 0, 0, 0] } else { [query.tos >> 4, query.tos << 4, 0, 0] },
        source: octets(query.v4, query.source),
        destination: octets(query.v4, query.destination),
        vlan: 0,
        source_mac: [0; 6],
        mac: [0; 6],
    };
    // SAFETY: the helper reads and writes as many bytes as it is told, all of `lookup`, which has the kernel's layout.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let answer = unsafe {
        bpf_fib_lookup(context.as_ptr(), (&raw mut lookup).cast(), size_of::<Lookup>() as i32, 0)
    };
    match answer as u32 {
        BPF_FIB_LKUP_RET_SUCCESS => {
            Route::Via(NextHop { mac: lookup.mac, source_mac: lookup.source_mac, interface: lookup.interface })
        }
        BPF_FIB_LKUP_RET_NO_NEIGH => Route::Unresolved,
        BPF_FIB_LKUP_RET_FRAG_NEEDED => Route::Refused(Reason::TooBig),
        BPF_FIB_LKUP_RET_FWD_DISABLED => Route::Refused(Reason::ForwardingOff),
        BPF_FIB_LKUP_RET_BLACKHOLE | BPF_FIB_LKUP_RET_UNREACHABLE | BPF_FIB_LKUP_RET_PROHIBIT => {
            Route::Refused(Reason::NoRoute)
        }
        _ => Route::NotForwarded,
    }
}

/// An address as the kernel takes it: IPv4 in the first four octets.
#[inline(always)]
fn octets(v4: bool, address: Address) -> [u8; 16] {
    if v4 {
        let [a, b, c, d] = address.low32().to_be_bytes();
        return [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    }
    address.octets()
}

//! The kernel's routing, as the packet path asks it.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{
    BPF_FIB_LKUP_RET_BLACKHOLE, BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_FWD_DISABLED,
    BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_PROHIBIT, BPF_FIB_LKUP_RET_SUCCESS,
    BPF_FIB_LKUP_RET_UNREACHABLE,
};
use aya_ebpf::helpers::bpf_fib_lookup;
use aya_ebpf::programs::XdpContext;
use lightpath_abi::NextHop;
use lightpath_core::{Reason, Route, RouteQuery, Routes};

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;

/// `struct bpf_fib_lookup` of the kernel's uapi/linux/bpf.h as eight words: the verifier wants the stack accessed in aligned
/// units, and the compiler does so for nothing smaller.
#[repr(transparent)]
struct Lookup([u64; 8]);

const _: () = assert!(size_of::<Lookup>() == size_of::<aya_ebpf::bindings::bpf_fib_lookup>());

impl Lookup {
    #[inline(always)]
    fn new(query: &RouteQuery, interface: u32) -> Self {
        let length = u64::from(query.length);
        let interface = u64::from(interface);
        if query.v4 {
            let tos = u64::from(query.tos);
            let (source, destination) = (query.source.low32(), query.destination.low32());
            let (source, destination) = (u64::from(source.to_be()), u64::from(destination.to_be()));
            return Self([AF_INET | length << 48, tos << 32 | interface, source, 0, destination, 0, 0, 0]);
        }
        // Version, traffic class and flow label, big-endian.
        let flow = u64::from((u32::from(query.tos) << 20).to_be());
        let (source, destination) = (query.source, query.destination);
        Self([
            AF_INET6 | length << 48,
            flow << 32 | interface,
            source.high.to_be(),
            source.low.to_be(),
            destination.high.to_be(),
            destination.low.to_be(),
            0,
            0,
        ])
    }

    /// The route's MTU, which stands in the place of the length when that is more (kernel commit e1850ea9bd9e).
    #[inline(always)]
    fn mtu(&self) -> u16 {
        (self.0[0] >> 48) as u16
    }

    /// Interface to leave by, its MAC address and the neighbour's.
    #[inline(always)]
    fn next_hop(&self) -> NextHop {
        let [_, interface, _, _, _, _, vlan_and_source, source_and_neighbour] = self.0;
        let [_, _, _, _, a, b, c, d] = vlan_and_source.to_le_bytes();
        let [e, f, mac @ ..] = source_and_neighbour.to_le_bytes();
        NextHop { mac, source_mac: [a, b, c, d, e, f], vlan: 0, mtu: 0, interface: interface as u32 }
    }
}

/// The kernel's routing for packets that arrive with a context.
pub struct KernelRoutes<'a>(pub &'a XdpContext);

impl Routes for KernelRoutes<'_> {
    #[inline(always)]
    fn route(&self, query: &RouteQuery) -> Route {
        let mut lookup = Lookup::new(query, self.0.ingress_ifindex() as u32);
        let size = size_of::<Lookup>() as i32;
        // SAFETY: the helper reads and writes as many bytes as it is told, all of `lookup`, which has the kernel's layout.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let answer = unsafe { bpf_fib_lookup(self.0.as_ptr(), (&raw mut lookup).cast(), size, 0) };
        match answer as u32 {
            BPF_FIB_LKUP_RET_SUCCESS => Route::Via(lookup.next_hop()),
            BPF_FIB_LKUP_RET_NO_NEIGH => Route::Unresolved,
            BPF_FIB_LKUP_RET_FRAG_NEEDED => Route::TooBig { mtu: lookup.mtu() },
            BPF_FIB_LKUP_RET_FWD_DISABLED => Route::Refused(Reason::ForwardingOff),
            BPF_FIB_LKUP_RET_BLACKHOLE | BPF_FIB_LKUP_RET_UNREACHABLE | BPF_FIB_LKUP_RET_PROHIBIT => {
                Route::Refused(Reason::NoRoute)
            }
            _ => Route::NotForwarded,
        }
    }
}

//! The XDP program at the other end of a balancer's tunnels: `lightpath decap`.

#![no_std]
#![no_main]

#[path = "../packet.rs"]
mod packet;

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::maps::{LpmTrie, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use lightpath_abi::{Address, TunnelCounters};
use lightpath_core::{Fate, Format, Refusal, TunnelEnd, decapsulate};

use crate::packet::XdpPacket;

/// Not 0 where tunnels from sources that are not listed are dropped. Read-only once loaded.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static STRICT: Global<u32> = Global::new(0);

/// Where tunnels may come from. The loader sets its size, and that of the next.
#[map]
static TUNNEL_SOURCES: LpmTrie<[u32; 4], u32> = LpmTrie::with_max_entries(1, 0);

/// Addresses that are delivered on this host.
#[map]
static LOCAL: LpmTrie<[u32; 4], u32> = LpmTrie::with_max_entries(1, 0);

/// Packets unwrapped, by format.
#[map]
static UNWRAPPED: PerCpuArray<TunnelCounters> = PerCpuArray::with_max_entries(Format::ALL.len() as u32, 0);

/// Packets not unwrapped, by reason.
#[map]
static REFUSED: PerCpuArray<u64> = PerCpuArray::with_max_entries(Refusal::ALL.len() as u32, 0);

/// Unwraps what comes in a tunnel, and hands it and everything else to the kernel.
#[xdp(frags)]
pub fn lightpath_decap(context: XdpContext) -> u32 {
    match decapsulate(&mut XdpPacket::<false>::new(&context), &Maps) {
        Fate::Pass | Fate::Unwrapped => xdp_action::XDP_PASS,
        Fate::Drop => xdp_action::XDP_DROP,
    }
}

/// This host, as the maps describe it.
struct Maps;

impl TunnelEnd for Maps {
    #[inline(always)]
    fn is_local(&self, address: Address) -> bool {
        holds(&LOCAL, address)
    }

    #[inline(always)]
    fn is_listed(&self, source: Address) -> bool {
        holds(&TUNNEL_SOURCES, source)
    }

    #[inline(always)]
    fn is_strict(&self) -> bool {
        STRICT.load() != 0
    }

    #[inline(always)]
    fn unwrapped(&self, format: Format, bytes: usize) {
        if let Some(counters) = UNWRAPPED.get_ptr_mut(format as u32) {
            // SAFETY: this CPU's own value of the map; programs of one CPU do not interrupt each other within it.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            let counters = unsafe { &mut *counters };
            counters.count(bytes);
        }
    }

    #[inline(always)]
    fn refused(&self, refusal: Refusal) {
        if let Some(count) = REFUSED.get_ptr_mut(refusal as u32) {
            // SAFETY: as above.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *count += 1;
            }
        }
    }
}

/// The key of a whole address as the stack wants it, in aligned words: `Key` is packed, and the compiler would store two of its words
/// at once wherever they lie.
#[repr(C)]
struct AlignedKey {
    padding: u32,
    bits: u32,
    octets: [u64; 2],
}

#[inline(always)]
fn holds(prefixes: &LpmTrie<[u32; 4], u32>, address: Address) -> bool {
    let key = AlignedKey { padding: 0, bits: 128, octets: [address.high.to_be(), address.low.to_be()] };
    let packed = (&raw const key).cast::<u32>().wrapping_add(1).cast::<Key<[u32; 4]>>();
    // SAFETY: behind the padding lie the four bytes of `bits` and the sixteen of `octets`, which is a `Key`.
    #[expect(unsafe_code, reason = "the map's own key type cannot be aligned")]
    let packed = unsafe { &*packed };
    prefixes.get(packed).is_some()
}

/// The kernel takes programs of any licence that call no restricted helper.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds the licence by its section and name")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

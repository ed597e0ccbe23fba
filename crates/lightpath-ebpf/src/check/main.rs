//! Health checks through the data plane: what a marked socket sends to a VIP leaves for one backend, in the encapsulation of its
//! service, and what that backend answers comes to the socket.
//!
//! Both are programs of traffic control. The first is on the device that such sockets are bound to, and sees nothing else. The second
//! is where answers come in; whatever is no answer goes on untouched.

#![no_std]
#![no_main]

mod packet;

use aya_ebpf::bindings::{
    BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6, BPF_F_ADJ_ROOM_ENCAP_L4_UDP, BPF_F_INGRESS,
    BPF_F_NO_PREALLOC, TC_ACT_SHOT, TC_ACT_UNSPEC,
};
use aya_ebpf::helpers::{bpf_redirect, bpf_skb_vlan_pop, bpf_skb_vlan_push};
use aya_ebpf::macros::{classifier, map};
use aya_ebpf::maps::{Array, HashMap, LruHashMap};
use aya_ebpf::programs::TcContext;
use lightpath_abi::{CHECK_DEVICE_MAC, CheckFlow, CheckedBackend, Features, Forward, MAX_CHECKED, NextHop};
use lightpath_core::{
    Direction, Egress, FlowHash, Forwarding, Frame, HashKey, Outer, Packet, Reject, Rewrite, apply,
    flow_of_error, parse,
};

use crate::packet::SkbPacket;

/// Flows whose answers are known: several times as many as checks are under way at most.
const FLOWS: u32 = 1 << 14;
/// 802.1Q, as the helper wants it.
const VLAN_PROTOCOL: u16 = 0x8100_u16.to_be();
/// What is parsed; tags are the kernel's business.
const FEATURES: Features = Features(Features::IPV4.0 | Features::IPV6.0);
/// Checks need not leave from where a client's flow would.
const HASH_KEY: HashKey = HashKey::from_seed("");

/// Index of the device that checks leave by. It may be made when the programs are ready.
#[map]
static CHECK_DEVICE: Array<u32> = Array::with_max_entries(1, 0);

/// Backends by the mark of what is sent to them.
#[map]
static CHECKED: HashMap<u32, CheckedBackend> = HashMap::with_max_entries(MAX_CHECKED, BPF_F_NO_PREALLOC);

/// Flows of checks; the value means nothing.
#[map]
static CHECK_FLOWS: LruHashMap<CheckFlow, u32> = LruHashMap::with_max_entries(FLOWS, 0);

/// Sends what a marked socket has sent to its backend, and drops everything else.
#[classifier]
pub fn lightpath_check_out(context: TcContext) -> i32 {
    match send(&context) {
        Some(interface) => redirect(interface, 0),
        None => TC_ACT_SHOT,
    }
}

/// Hands what answers a check to its socket, and everything else on.
#[classifier]
pub fn lightpath_check_in(context: TcContext) -> i32 {
    match CHECK_DEVICE.get(0) {
        Some(device) if is_answer(&context) => redirect(*device, BPF_F_INGRESS.into()),
        // To the next program, or on to the kernel.
        _ => TC_ACT_UNSPEC,
    }
}

/// Gives a check's packet the headers by which it leaves; the interface, if it does.
#[inline(always)]
fn send(context: &TcContext) -> Option<u32> {
    // SAFETY: the kernel hands the program a valid context.
    #[expect(unsafe_code, reason = "contexts are raw pointers")]
    let mark = unsafe { (*context.skb.skb).mark };
    // SAFETY: entries are neither aliased nor freed while a program runs, and a torn one misleads a single packet of a check.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    let checked = unsafe { CHECKED.get(mark) }?;
    // Marks are this device's business only.
    context.skb.set_mark(0);
    let forward = Forward::from_number(checked.forward)?;
    let mut packet = SkbPacket::new(context, room(forward, checked.backend.address.is_v4()));
    let frame = parse(&packet, FEATURES).ok()?;
    let flow = CheckFlow {
        vip: frame.destination,
        node: frame.source,
        ports: u32::from(frame.destination_port) << 16 | u32::from(frame.source_port),
        protocol: frame.protocol.into(),
    };
    CHECK_FLOWS.insert(flow, 1, 0).ok()?;
    let hop = *checked.backend.next_hop();
    if hop.interface == 0 {
        return None;
    }
    // The kernel keeps tags apart from the packet.
    let untagged = NextHop { vlan: 0, ..hop };
    match forward {
        Forward::Dsr => apply_rewrite(Rewrite::None, &untagged, &frame, &mut packet)?,
        Forward::Ipip => apply_rewrite(tunnel(checked, &frame, false), &untagged, &frame, &mut packet)?,
        Forward::Gue => apply_rewrite(tunnel(checked, &frame, true), &untagged, &frame, &mut packet)?,
        Forward::Nat | Forward::FullNat => return None,
    }
    if hop.vlan != 0 {
        // SAFETY: the helper takes the context and plain numbers.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let refused = unsafe { bpf_skb_vlan_push(context.skb.skb, VLAN_PROTOCOL, hop.vlan) };
        if refused != 0 {
            return None;
        }
    }
    Some(hop.interface)
}

#[inline(always)]
fn apply_rewrite(
    rewrite: Rewrite<'_>,
    hop: &NextHop,
    frame: &Frame,
    packet: &mut SkbPacket<'_>,
) -> Option<()> {
    let forwarding = Forwarding {
        direction: Direction::ToBackend,
        backend: 0,
        service: 0,
        rewrite,
        egress: Egress::Backend(hop),
        opens: false,
    };
    apply(&forwarding, frame, packet, FEATURES).ok()
}

#[inline(always)]
fn tunnel<'a>(checked: &'a CheckedBackend, frame: &Frame, gue: bool) -> Rewrite<'a> {
    let hash = FlowHash::of_flow(HASH_KEY, frame);
    Rewrite::Encapsulate(Outer { backend: &checked.backend, source: &checked.source, hash, gue })
}

/// What a tunnel's header is, as the kernel wants to know when there is to be room for it.
#[inline(always)]
fn room(forward: Forward, v4: bool) -> u64 {
    let network = if v4 { BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 } else { BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 };
    let transport = if matches!(forward, Forward::Gue) { BPF_F_ADJ_ROOM_ENCAP_L4_UDP } else { 0 };
    u64::from(network | transport)
}

/// Whether a packet answers a check, be it by an ICMP error, made ready to come in by the checks' device.
#[inline(always)]
fn is_answer(context: &TcContext) -> bool {
    let mut packet = SkbPacket::new(context, 0);
    let answering = match parse(&packet, FEATURES) {
        Err(Reject::Icmp) => flow_of_error(&packet, FEATURES),
        parsed => parsed.ok(),
    };
    let Some(frame) = answering else { return false };
    let flow = CheckFlow {
        vip: frame.source,
        node: frame.destination,
        ports: u32::from(frame.source_port) << 16 | u32::from(frame.destination_port),
        protocol: frame.protocol.into(),
    };
    // SAFETY: only whether there is one matters.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    let known = unsafe { CHECK_FLOWS.get(flow) }.is_some();
    // The device takes only what is sent to its address, and nothing with a tag.
    if !known || packet.store(0, CHECK_DEVICE_MAC).is_err() {
        return false;
    }
    // SAFETY: the kernel hands the program a valid context.
    #[expect(unsafe_code, reason = "contexts are raw pointers")]
    let is_tagged = unsafe { (*context.skb.skb).vlan_present } != 0;
    if is_tagged {
        // SAFETY: the helper takes the context.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let refused = unsafe { bpf_skb_vlan_pop(context.skb.skb) };
        return refused == 0;
    }
    true
}

#[inline(always)]
fn redirect(interface: u32, flags: u64) -> i32 {
    // SAFETY: the helper takes plain numbers and answers with an action.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let action = unsafe { bpf_redirect(interface, flags) };
    action as i32
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

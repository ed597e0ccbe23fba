//! Copies of packets: which ones somebody wants to see.

use lightpath_abi::{Address, CaptureFilter, Features, Sample};

use crate::parse::{addresses, link};
use crate::{Packet, Stage, parse_any};

/// The place of the balancer itself, behind those of the stages, for the program that stands before it.
pub const BALANCER_PLACE: u32 = Stage::SessionError as u32 + 1;
/// Places of the stages and of the balancer.
pub const PLACES: u32 = BALANCER_PLACE + 1;

/// Whether a packet comes from the filter's client, or was sent to it.
#[inline(always)]
pub fn is_about_client<P: Packet>(filter: &CaptureFilter, packet: &P, features: Features) -> bool {
    let mask = filter.client_mask;
    if mask == Address::default() && filter.client_port == 0 {
        return true;
    }
    let is_client = |address: Address| {
        (address.high ^ filter.client.high) & mask.high | (address.low ^ filter.client.low) & mask.low == 0
    };
    if filter.client_port == 0 {
        return addresses(packet, link(packet, features))
            .is_ok_and(|(source, destination)| is_client(source) || is_client(destination));
    }
    parse_any(packet, features).is_ok_and(|frame| {
        is_client(frame.source) && frame.source_port == filter.client_port
            || is_client(frame.destination) && frame.destination_port == filter.client_port
    })
}

/// Whether a packet is wanted of which this is known.
#[inline(always)]
#[must_use]
pub const fn is_wanted(filter: &CaptureFilter, sample: &Sample) -> bool {
    let reason = if sample.reason == 0 { 0 } else { 1 << ((sample.reason - 1) & 31) };
    (filter.endings == 0 || filter.endings & 1 << (sample.ending & 31) != 0)
        && (filter.reasons == 0 || filter.reasons & reason != 0)
        && (filter.service == 0 || filter.service == sample.service)
        && (filter.backend == 0 || filter.backend == sample.backend)
}

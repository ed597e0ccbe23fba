//! What a packet costs: nanoseconds in a program, measured with BPF_PROG_TEST_RUN behind a packet source.

use std::path::Path;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, ProgramArray};
use aya::programs::{TestRun, TestRunOptions};

use lightpath_core::wire::ethernet::{self, ETHER_TYPE};

use super::{Subject, load, loaded, loader, program};
use crate::Error;
use crate::test_run::Context;

/// Bytes of a packet that are restored before each run: everything that the packet path reads of it but, in IPv6, TCP's checksum.
pub const RESTORED: usize = 64;

const IPV6: [u8; 2] = ethernet::IPV6.to_be_bytes();
/// Names of the packet sources in the bench object.
const PACKET_SOURCES: [&str; 2] = ["packet_source_v4", "packet_source_v6"];

/// A packet to be measured with, as one of many flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The packet, of at least [`RESTORED`] bytes.
    pub packet: Vec<u8>,
    /// Index of the interface it seems to arrive on.
    pub interface: u32,
    /// How many flows, a power of two of at most 2^24.
    pub flows: u32,
    /// In what they differ.
    pub varies: Ends,
}

/// Which end of flows differs: the last 16 bits of its address, and for more than 65,536 flows its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Where they come from, as packets of clients.
    Source,
    /// Where they go to, as replies.
    Destination,
}

/// Puts packets before a program and takes the time.
#[derive(Debug)]
pub struct Stopwatch {
    object: Ebpf,
    source: &'static str,
    traffic: Traffic,
}

impl Stopwatch {
    /// A stopwatch for a program, which has to live as long.
    pub fn new(subject: &Subject, traffic: Traffic) -> Result<Self, Error> {
        let mask = traffic.flows.next_power_of_two() - 1;
        let length = u32::try_from(traffic.packet.len()).unwrap_or(u32::MAX);
        let by_destination = u32::from(traffic.varies == Ends::Destination);
        let mut object = load(
            loader(false)
                .override_global("FLOW_MASK", &mask, true)
                .override_global("LENGTH", &length, true)
                .override_global("BY_DESTINATION", &by_destination, true),
        )?;
        write_template(&mut object, &traffic.packet)?;
        let [v4, v6] = PACKET_SOURCES;
        let source = if traffic.packet.get(ETHER_TYPE..).is_some_and(|rest| rest.starts_with(&IPV6)) {
            v6
        } else {
            v4
        };
        loaded(&mut object, source)?;
        let under_test =
            subject.program()?.fd()?.try_clone().map_err(Error::path(Path::new("the program under test")))?;
        let map = object.map_mut("UNDER_TEST").ok_or(Error::Missing { name: "UNDER_TEST" })?;
        let mut map = ProgramArray::try_from(map).map_err(Error::map("UNDER_TEST"))?;
        map.set(0, &under_test, 0).map_err(Error::map("UNDER_TEST"))?;
        Ok(Self { object, source, traffic })
    }

    /// Runs so many packets through: the action of the last one, and the mean time of one. The packet source is part of it.
    pub fn run(&mut self, packets: u32) -> Result<(u32, Duration), Error> {
        let context = Context::new(self.traffic.packet.len(), self.traffic.interface);
        let options = TestRunOptions {
            data_in: Some(&self.traffic.packet),
            ctx_in: Some(context.as_bytes()),
            repeat: packets,
            ..TestRunOptions::new()
        };
        let result = program(&mut self.object, self.source)?.test_run(options)?;
        Ok((result.return_value, result.duration))
    }
}

/// Has a bench object restore this packet.
pub(super) fn write_template(object: &mut Ebpf, packet: &[u8]) -> Result<(), Error> {
    let template = object.map_mut("TEMPLATE").ok_or(Error::Missing { name: "TEMPLATE" })?;
    let mut template = Array::<_, [u8; RESTORED]>::try_from(template).map_err(Error::map("TEMPLATE"))?;
    let headers: [u8; RESTORED] = packet.first_chunk().copied().unwrap_or([0; RESTORED]);
    template.set(0, headers, 0).map_err(Error::map("TEMPLATE"))
}

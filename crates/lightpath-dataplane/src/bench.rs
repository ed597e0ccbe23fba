//! What a packet costs: nanoseconds in the program, measured with BPF_PROG_TEST_RUN behind a packet source of its own.

use std::time::Duration;

use aya::maps::{Array, ProgramArray};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};

use lightpath_core::wire::ethernet::{self, ETHER_TYPE};

use crate::object::{BENCH_OBJECT, FLOOR, PACKET_SOURCES};
use crate::test_run::Context;
use crate::{Dataplane, Error};

/// Bytes of a packet that are restored before each run: everything that the packet path reads of it but, in IPv6, TCP's checksum.
pub const RESTORED: usize = 64;

const IPV6: [u8; 2] = ethernet::IPV6.to_be_bytes();

/// A packet to be measured with, as one of many flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The packet, of at least [`RESTORED`] bytes; its source address and port are varied.
    pub packet: Vec<u8>,
    /// Index of the interface it seems to arrive on.
    pub interface: u32,
    /// How many flows, a power of two of at most 2^24.
    pub flows: u32,
}

/// Puts packets before a program and takes the time.
#[derive(Debug)]
pub struct Stopwatch {
    object: Ebpf,
    source: &'static str,
    traffic: Traffic,
}

impl Stopwatch {
    /// Loads a packet source for `traffic`, without a program behind it.
    fn load(traffic: Traffic) -> Result<Self, Error> {
        let mask = traffic.flows.next_power_of_two() - 1;
        let mut object = EbpfLoader::new().override_global("FLOW_MASK", &mask, true).load(BENCH_OBJECT)?;
        let template = object.map_mut("TEMPLATE").ok_or(Error::Missing { name: "TEMPLATE" })?;
        let mut template = Array::<_, [u8; RESTORED]>::try_from(template).map_err(Error::map("TEMPLATE"))?;
        let headers: [u8; RESTORED] = traffic.packet.first_chunk().copied().unwrap_or([0; RESTORED]);
        template.set(0, headers, 0).map_err(Error::map("TEMPLATE"))?;
        let [v4, v6] = PACKET_SOURCES;
        let source = if traffic.packet.get(ETHER_TYPE..).is_some_and(|rest| rest.starts_with(&IPV6)) {
            v6
        } else {
            v4
        };
        program(&mut object, source)?.load()?;
        Ok(Self { object, source, traffic })
    }

    /// A stopwatch for the balancer.
    pub fn of_balancer(dataplane: &Dataplane, traffic: Traffic) -> Result<Self, Error> {
        let mut stopwatch = Self::load(traffic)?;
        let program = dataplane.program.fd()?.try_clone().map_err(Error::path(&dataplane.pins.program()))?;
        stopwatch.put_under_test(&program)?;
        Ok(stopwatch)
    }

    /// A stopwatch for the least that a program that transmits could do: swap the MAC addresses.
    pub fn of_floor(traffic: Traffic) -> Result<Self, Error> {
        let mut stopwatch = Self::load(traffic)?;
        let floor = program(&mut stopwatch.object, FLOOR)?;
        floor.load()?;
        let floor = floor.fd()?.try_clone().map_err(Error::path(std::path::Path::new(FLOOR)))?;
        stopwatch.put_under_test(&floor)?;
        Ok(stopwatch)
    }

    fn put_under_test(&mut self, program: &aya::programs::ProgramFd) -> Result<(), Error> {
        let map = self.object.map_mut("UNDER_TEST").ok_or(Error::Missing { name: "UNDER_TEST" })?;
        let mut map = ProgramArray::try_from(map).map_err(Error::map("UNDER_TEST"))?;
        map.set(0, program, 0).map_err(Error::map("UNDER_TEST"))
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

fn program<'a>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, Error> {
    Ok(object.program_mut(name).ok_or(Error::Missing { name })?.try_into()?)
}

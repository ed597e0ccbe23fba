//! One packet through the loaded program, without a network: `BPF_PROG_TEST_RUN`.

use std::time::Duration;

use aya::programs::{TestRun, TestRunOptions, Xdp};
use zerocopy::{Immutable, IntoBytes};

use crate::{Dataplane, Error};

/// `struct xdp_md` of the kernel's uapi/linux/bpf.h, as a test run takes it.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
pub(crate) struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

impl Context {
    /// Of a packet with so many bytes that arrives on an interface.
    pub(crate) fn new(length: usize, interface: u32) -> Self {
        Self {
            data: 0,
            data_end: u32::try_from(length).unwrap_or(u32::MAX),
            data_meta: 0,
            ingress_ifindex: interface,
            rx_queue_index: 0,
            egress_ifindex: 0,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        IntoBytes::as_bytes(self)
    }
}

/// A packet to run through the program.
#[derive(Clone, Copy, Debug)]
pub struct TestPacket<'a> {
    /// Its bytes, from the Ethernet header on; at least the header's 14.
    pub bytes: &'a [u8],
    /// Index of the interface it seems to arrive on, in the calling thread's network namespace.
    pub interface: u32,
    /// How often. Only the first run sees the packet as given.
    pub repeat: u32,
}

/// What the program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The action it returned, an `XDP_*` number.
    pub action: u32,
    /// The packet as it left it.
    pub bytes: Vec<u8>,
    /// Mean time of a run.
    pub duration: Duration,
}

/// Room for what a program may put before a packet.
const HEADROOM: usize = 256;

impl Dataplane {
    /// Runs a packet through the program over the live tables. Nothing is sent, but it is counted.
    pub fn test_run(&self, packet: TestPacket<'_>) -> Result<Outcome, Error> {
        run(&self.program, packet)
    }
}

pub(crate) fn run(program: &Xdp, packet: TestPacket<'_>) -> Result<Outcome, Error> {
    let context = Context::new(packet.bytes.len(), packet.interface);
    let mut output = vec![0; packet.bytes.len() + HEADROOM];
    let options = TestRunOptions {
        data_in: Some(packet.bytes),
        data_out: Some(&mut output),
        ctx_in: Some(context.as_bytes()),
        repeat: packet.repeat,
        ..TestRunOptions::new()
    };
    let result = program.test_run(options)?;
    output.truncate(result.data_size_out as usize);
    Ok(Outcome { action: result.return_value, bytes: output, duration: result.duration })
}

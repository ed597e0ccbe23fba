//! A program over the live tables that counts for itself and remembers nothing of what it meets.

use std::fmt;

use aya::programs::Xdp;

use crate::loaded::Loaded;
use crate::object::BALANCER;
use crate::test_run::{self, Outcome, TestPacket};
use crate::{Dataplane, Error, maps};

/// Another copy of a program. It reads the same tables; its counters, flows and sessions are its own, and go with it.
pub struct Trial(Loaded);

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").finish_non_exhaustive()
    }
}

impl Dataplane {
    /// The program once more, to be tried on the tables without a trace.
    pub fn trial(&self) -> Result<Trial, Error> {
        Ok(Trial(Loaded::over(&self.pins.maps(self.generation), &maps::READ, &self.spec)?))
    }
}

impl Trial {
    /// Runs a packet through the program.
    pub fn run(&self, packet: TestPacket<'_>) -> Result<Outcome, Error> {
        let program: &Xdp =
            self.0.object.program(BALANCER).ok_or(Error::Missing { name: BALANCER })?.try_into()?;
        test_run::run(program, packet)
    }
}

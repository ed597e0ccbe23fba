//! The live tables, copied into ordinary memory.

use lightpath_abi::{FILTER_WORDS, Flow, FlowTable};
use lightpath_core::Parameters;
use lightpath_core::directory::Lines;
use lightpath_core::host::{Contents, HostTables};

use crate::Error;
use crate::clock::monotonic_seconds;
use crate::flows::read_flow;
use crate::lines::DirectoryLines;
use crate::maps::Maps;
use crate::slots::read_slot;

impl Maps {
    /// The tables at this moment.
    pub(crate) fn host_tables(&self, parameters: Parameters) -> Result<HostTables, Error> {
        let lines = DirectoryLines(&self.directory);
        let slots = self.slots()?;
        let flows = |table: FlowTable| -> Result<Vec<Flow>, Error> {
            let memory = self.flows(table)?;
            Ok((0..table.places()).map(|place| read_flow(&memory, place)).collect())
        };
        let mut tables = HostTables::copy(Contents {
            parameters,
            filter: self.filter.read::<{ 2 * FILTER_WORDS as usize }>(0).to_vec(),
            directory: (0..self.capacity.directory).map(|position| lines.line(position)).collect(),
            slots: (0..self.capacity.slots).map(|index| read_slot(&slots, index)).collect(),
            backends: self.backends().collect(),
            sources: self.stored_sources(),
            vlans: self.stored_vlans(),
            flows: [
                flows(FlowTable::Established)?,
                flows(FlowTable::HalfOpen)?,
                flows(FlowTable::Fragments)?,
                flows(FlowTable::Direct)?,
            ],
            direct: self.has_direct.read::<1>(0) != [0],
            sessions: self.stored_sessions()?,
            session_sets: self.stored_session_sets()?,
        });
        tables.now = monotonic_seconds();
        Ok(tables)
    }
}

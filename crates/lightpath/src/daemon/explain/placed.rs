//! Where a client's packet stands in the table of its service, and why that leads to its backend.

use lightpath_abi::{BackendNumber, FLOW_WAYS, Features, Flow, FlowTable, Role, Slot};
use lightpath_core::host::{Buffer, HostTables, is_fresh};
use lightpath_core::wire::TCP;
use lightpath_core::{FlowHash, Frame, Tables, backend_of_connection, directory, placement};

/// The place of a packet's flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Whether the source address alone is hashed.
    pub(super) sticky: bool,
    /// What places it.
    pub(super) hash: FlowHash,
    /// Its slot, from the first of its service.
    pub(super) number: u32,
    /// Slots of the service.
    pub(super) slots: u32,
    pub(super) slot: Slot,
    /// What stands for its flow in the flow tables.
    key: u64,
    /// QUIC: the backend that its connection ID names.
    connection: Option<BackendNumber>,
}

impl Placed {
    /// The place of a packet that is for a service.
    pub(super) fn of(frame: &Frame, packet: &[u8], tables: &HostTables) -> Option<Self> {
        let service = directory::search(
            tables,
            Role::Service,
            frame.destination,
            frame.protocol,
            frame.destination_port,
        )?;
        let parameters = tables.parameters();
        let placement = placement(frame, service, tables);
        let has_ids = parameters.features.has(Features::QUIC) && service.server_id_length != 0;
        let sticky = parameters.features.has(Features::STICKY) && service.sticky != 0;
        Some(Self {
            sticky,
            hash: if sticky { FlowHash::of_source(parameters.hash_key, frame) } else { placement.hash },
            number: placement.index.wrapping_sub(service.slots.base()),
            slots: service.slots.count(),
            slot: tables.slot(placement.index)?,
            key: placement.hash.key(),
            connection: has_ids
                .then(|| backend_of_connection(frame, &Buffer::new(packet), service, tables))
                .flatten(),
        })
    }

    /// Why this backend gets the packet: the rules of lightpath-core's `follow`, told from what it went by.
    pub(super) fn why(&self, backend: BackendNumber, frame: &Frame, tables: &HostTables) -> &'static str {
        let Slot { current, previous } = self.slot;
        let remembered = |table| self.remembered(table, tables).filter(|flow| flow.backend == backend);
        if self.connection == Some(backend) {
            return "its connection ID names this backend";
        }
        if previous == 0 {
            return "its slot names this backend";
        }
        if remembered(FlowTable::Established).is_some() {
            return "its slot is moving, and its flow is remembered to live on this backend";
        }
        if frame.protocol != TCP {
            return if backend == current && previous != current {
                "its slot has moved: UDP flows that are not remembered go to the new backend"
            } else {
                "its slot has just begun to move: UDP flows that are not remembered count as older, and stay"
            };
        }
        if remembered(FlowTable::HalfOpen).is_some_and(|flow| !frame.syn || flow.detail == frame.sequence) {
            return "its slot is moving, and the SYN of its flow went to this backend";
        }
        if frame.syn {
            return "its slot is moving: new flows go to the new backend";
        }
        if backend == previous {
            "its slot is moving: a flow that is not remembered is older than the move, and stays"
        } else {
            "its slot is moving: a flow that is not remembered would stay, but the earlier backend no longer serves"
        }
    }

    /// What is known of the flow, and not forgotten.
    fn remembered(&self, table: FlowTable, tables: &HostTables) -> Option<Flow> {
        let first = table.first_place(self.key);
        let mut flows = (first..first + FLOW_WAYS).filter_map(|place| tables.flow(table, place));
        flows.find(|flow| flow.key == self.key && is_fresh(flow, tables.now()))
    }
}

//! What the node does, whichever service it is for.

use std::fmt;

use lightpath_core::{Reason, ReplyKind};

use super::Figures;
use super::metric::{Kind, Metric, Samples};
use crate::event::Kind as Event;
use crate::status::CpuStatus;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "lightpath_build",
        kind: Kind::Info,
        unit: None,
        labels: &["version", "instance"],
        help: "The version of the daemon, and which of several on the host it is",
        read: |figures, samples| samples.say([&figures.status.version, &figures.status.instance]),
    },
    Metric {
        name: "lightpath_program",
        kind: Kind::Info,
        unit: None,
        labels: &["id", "features"],
        help: "The XDP program that runs: its id in the kernel, and what it was specialised for",
        read: |figures, samples| {
            let program = &figures.status.program;
            samples.say([&program.id.to_string(), &program.features.join(",")])
        },
    },
    Metric {
        name: "lightpath_program_feature",
        kind: Kind::Gauge,
        unit: None,
        labels: &["feature"],
        help: "1 for each feature that the XDP program was specialised for; what is not configured is not in it",
        read: |figures, samples| {
            let mut features = figures.status.program.features.iter();
            features.try_for_each(|feature| samples.add([feature], true))
        },
    },
    Metric {
        name: "lightpath_program_id",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "The XDP program's id in the kernel: greater with each that takes the place of another",
        read: |figures, samples| samples.add([], u64::from(figures.status.program.id)),
    },
    Metric {
        name: "lightpath_program_size",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        labels: &[],
        help: "Machine code of the XDP program",
        read: |figures, samples| samples.add([], u64::from(figures.status.program.jited_bytes)),
    },
    Metric {
        name: "lightpath_interface",
        kind: Kind::Info,
        unit: None,
        labels: &["interface", "mode"],
        help: "How the program is attached: native or generic, or missing when the interface is gone",
        read: |figures, samples| {
            let mut interfaces = figures.status.interfaces.iter();
            interfaces.try_for_each(|interface| samples.say([&interface.name, &interface.mode]))
        },
    },
    Metric {
        name: "lightpath_dropped_packets",
        kind: Kind::Counter,
        unit: None,
        labels: &["reason"],
        help: "Packets dropped, by reason",
        read: |figures, samples| {
            Reason::ALL.into_iter().try_for_each(|reason| {
                let count = figures.status.drops.get(reason.name()).copied().unwrap_or(0);
                samples.add([reason.name()], count)
            })
        },
    },
    Metric {
        name: "lightpath_replies",
        kind: Kind::Counter,
        unit: None,
        labels: &["kind"],
        help: "Packets that the data plane answered itself, by kind of answer; those that answer a packet which could not go on \
               are among the dropped too",
        read: |figures, samples| {
            ReplyKind::NAMES.into_iter().try_for_each(|kind| {
                samples.add([kind], figures.status.replies.get(kind).copied().unwrap_or(0))
            })
        },
    },
    Metric {
        name: "lightpath_cpu_forwarded_packets",
        kind: Kind::Counter,
        unit: None,
        labels: &["cpu"],
        help: "Packets to and from backends that a CPU forwarded",
        read: |figures, samples| {
            let mut cpus = figures.cpus.iter().enumerate();
            cpus.try_for_each(|(number, cpu)| samples.add([&number.to_string()], cpu.forwarded))
        },
    },
    Metric {
        name: "lightpath_cpu_dropped_packets",
        kind: Kind::Counter,
        unit: None,
        labels: &["cpu"],
        help: "Packets that a CPU dropped",
        read: |figures, samples| {
            let mut cpus = figures.cpus.iter().enumerate();
            cpus.try_for_each(|(number, cpu)| samples.add([&number.to_string()], cpu.dropped))
        },
    },
    Metric {
        name: "lightpath_cpu_given_packets",
        kind: Kind::Counter,
        unit: None,
        labels: &["cpu"],
        help: "Packets given to a CPU by those that received them, where packets are spread over CPUs or were",
        read: |figures, samples| spread(figures, samples, |cpu| cpu.given),
    },
    Metric {
        name: "lightpath_cpu_taken_packets",
        kind: Kind::Counter,
        unit: None,
        labels: &["cpu"],
        help: "Packets that a CPU has taken of those given to it; what is missing for long was dropped",
        read: |figures, samples| spread(figures, samples, |cpu| cpu.taken),
    },
    Metric {
        name: "lightpath_unresolved_next_hops",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Addresses of backends that packets cannot be sent to",
        read: |figures, samples| samples.add([], figures.unresolved),
    },
    Metric {
        name: "lightpath_moving_slots",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Slots whose backend was changed while flows of an earlier one may live on",
        read: |figures, samples| samples.add([], figures.status.flows.moving_slots),
    },
    Metric {
        name: "lightpath_remembered_flows",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Flows remembered because slots move",
        read: |figures, samples| samples.add([], figures.status.flows.remembered),
    },
    Metric {
        name: "lightpath_flow_table",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        labels: &[],
        help: "Memory of the tables of remembered flows, whatever is in them",
        read: |figures, samples| samples.add([], figures.status.flows.table_bytes),
    },
    Metric {
        name: "lightpath_sessions",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Flows of fullnat that live",
        read: |figures, samples| samples.add([], figures.status.flows.sessions),
    },
    Metric {
        name: "lightpath_session_table",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        labels: &[],
        help: "Memory of the table of sessions, whatever is in it",
        read: |figures, samples| samples.add([], figures.status.flows.session_bytes),
    },
    Metric {
        name: "lightpath_drains",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Backends that get no new flows and have some left; lightpath_backend_flows has how many are known",
        read: |figures, samples| samples.add([], figures.drains),
    },
    Metric {
        name: "lightpath_events",
        kind: Kind::Counter,
        unit: None,
        labels: &["event"],
        help: "What changed since the daemon started, by the names in docs/events.md",
        read: |figures, samples| {
            Event::ALL.into_iter().try_for_each(|event| {
                samples.add([event.name()], figures.events.get(&event).copied().unwrap_or(0))
            })
        },
    },
    Metric {
        name: "lightpath_upgrades",
        kind: Kind::Counter,
        unit: None,
        labels: &["result"],
        help: "Upgrades of the program since the daemon started: refused before packets met it, kept after a while under \
               packets, or rolled-back; an upgrade of the daemon starts it",
        read: |figures, samples| {
            let results = [
                ("refused", Event::UpgradeRefused),
                ("kept", Event::ProgramKept),
                ("rolled-back", Event::ProgramRolledBack),
            ];
            results.into_iter().try_for_each(|(result, event)| {
                samples.add([result], figures.events.get(&event).copied().unwrap_or(0))
            })
        },
    },
    Metric {
        name: "lightpath_overrides",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Changes made at run time that differ from the configuration file",
        read: |figures, samples| samples.add([], figures.status.overrides.len()),
    },
    Metric {
        name: "lightpath_api_requests",
        kind: Kind::Counter,
        unit: None,
        labels: &["operation", "status"],
        help: "Requests that the API answered since the daemon started, by operation and HTTP status; what is no operation \
               counts as other",
        read: |figures, samples| {
            let mut requests = figures.requests.iter();
            requests.try_for_each(|((operation, status), count)| {
                samples.add([operation, &status.to_string()], *count)
            })
        },
    },
];

/// Of each CPU what is known of packets that are spread over CPUs.
fn spread(
    figures: &Figures,
    samples: &mut Samples<'_>,
    value: impl Fn(&CpuStatus) -> Option<u64>,
) -> fmt::Result {
    let values = figures.status.cpus.iter().enumerate();
    let known = values.filter_map(|(number, cpu)| Some((number.to_string(), value(cpu)?)));
    known.into_iter().try_for_each(|(number, value)| samples.add([&number], value))
}

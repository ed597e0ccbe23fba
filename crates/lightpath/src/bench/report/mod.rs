//! What was measured: as JSON, as text, as a page of the documentation and as a page for a browser.

pub(super) mod clients;
pub(super) mod compared;
pub(super) mod control;
mod document;
mod machine;
pub(super) mod packets;
pub(super) mod path;
mod plot;
pub(super) mod queues;
mod section;
mod sheet;
pub(super) mod watching;

use std::fmt;

use serde::{Deserialize, Serialize};

use clients::Clients;
use control::Control;
use packets::Packets;
use path::Path;
use queues::Queues;
use section::Section;
use watching::Watching;

pub(super) use document::write;
pub(super) use machine::Machine;

/// Everything that was measured, and where. Parts that were not asked for are missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Where and when.
    pub(super) machine: Machine,
    /// The command that measured.
    pub(super) command: String,
    /// What packets cost in the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) packets: Option<Packets>,
    /// What a link carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Path>,
    /// What clients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) clients: Option<Clients>,
    /// What configurations take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) control: Option<Control>,
    /// What a second queue adds.
    #[serde(default)]
    pub(super) queues: Option<Queues>,
    /// What watching costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) watching: Option<Watching>,
}

impl Report {
    /// The parts that there are, in order.
    fn sections(&self) -> Vec<Section> {
        let packets = self.packets.iter().map(Packets::section);
        let path = self.path.iter().map(Path::section);
        let clients = self.clients.iter().flat_map(Clients::sections);
        let control = self.control.iter().map(Control::section);
        let queues = self.queues.iter().map(Queues::section);
        let watching = self.watching.iter().map(Watching::section);
        packets.chain(path).chain(queues).chain(clients).chain(control).chain(watching).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, section) in self.sections().into_iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{}\n\n{}", section.title, section.sheet.text())?;
            for (place, note) in section.notes.iter().enumerate() {
                writeln!(f, "{}{note}", if place == 0 { "\n" } else { "" })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::clients::{Datagrams, Latency, Seen};
    use super::control::Taken;
    use super::packets::{Figures, Program};
    use super::path::Rate;
    use super::watching::Watched;
    use super::*;

    fn queues() -> Queues {
        Queues { rounds: 5, packets: 200_000, one: 1_234_567.0, both: 2_345_678.0, times: 1.9 }
    }

    fn watching() -> Watching {
        Watching {
            rounds: 20,
            window_ms: 1000,
            services: 100,
            backends: 10,
            reading_ms: 7.0,
            watchers: vec![Watched {
                name: "metrics read each second".to_owned(),
                packets_per_second: 3_300_000.0,
                ns: 303.0,
                median_ns: 305.0,
                beyond_nobody_ns: 0.4,
                times_nobody: 1.0013,
                undisturbed_times_nobody: 1.0004,
            }],
        }
    }

    fn report() -> Report {
        let row = |name: &str, flows, ns| Figures {
            name: name.to_owned(),
            flows,
            ns,
            median_ns: ns + 2.0,
            times_floor: ns / 30.0,
            beyond_floor_ns: ns - 30.0,
        };
        let nat = [(1, 60.0), (65_536, 90.0), (1_048_576, 95.0)]
            .map(|(flows, ns)| row("TCP4 established, nat", Some(flows), ns));
        let program = Program {
            verified_instructions: Some(19_235),
            translated_bytes: Some(9000),
            jited_bytes: 16_245,
        };
        let latency =
            Latency { p50_us: 16.0, p90_us: 18.5, p99_us: 40.0, curve: (1..100).map(f64::from).collect() };
        let datagrams = Datagrams {
            answers_per_second: 80_000.0,
            share_of_direct: 0.98,
            added_us: 0.5,
            own_us: None,
            latency: latency.clone(),
        };
        Report {
            machine: Machine {
                date: "2026-11-23".to_owned(),
                version: "0.1.0".to_owned(),
                debug_build: false,
                kernel: "6.18".to_owned(),
                architecture: "x86_64".to_owned(),
                processor: "a processor".to_owned(),
                cpus: 2,
                memory_mib: 24_000,
                system: "Debian".to_owned(),
                is_virtual: true,
            },
            command: "lightpath bench all".to_owned(),
            packets: Some(Packets {
                rounds: 25,
                floor_ns: 30.0,
                floor_median_ns: 31.0,
                rows: nat.into_iter().chain([row("TCP4 SYN, nat, new flows", None, 99.0)]).collect(),
                program: Some(program),
            }),
            path: Some(Path {
                rounds: 75,
                packets: 10_000,
                rates: vec![Rate {
                    name: "Lightpath, nat".to_owned(),
                    flows: 65_536,
                    packets_per_second: 3_401_361.0,
                    ns: 294.0,
                    median_ns: 317.0,
                    beyond_floor_ns: 75.0,
                    share_of_floor: 0.75,
                    returned: 1.0,
                }],
                missing: vec!["nft".to_owned()],
            }),
            clients: Some(Clients {
                rounds: 9,
                load_ms: 400,
                flows: 16,
                systems: vec![Seen {
                    name: "Lightpath, nat".to_owned(),
                    version: None,
                    requests_per_second: 74_900.0,
                    requests_of_direct: 0.97,
                    added_us: 0.4,
                    own_us: Some(1.1),
                    connections_per_second: 14_800.0,
                    connections_of_direct: 0.96,
                    latency,
                    udp: Some(datagrams),
                    lost: 0,
                    resident_bytes: Some(8 << 20),
                    map_bytes: Some(5 << 20),
                }],
                missing: Vec::new(),
            }),
            control: Some(Control {
                times: 5,
                sizes: vec![Taken {
                    services: 1000,
                    backends: 10,
                    slots: 1021,
                    build_ms: 47.0,
                    rebuild_ms: 5.0,
                    start_ms: 500.0,
                    reload_ms: 50.0,
                    resident_bytes: 20 << 20,
                    map_bytes: 13 << 20,
                }],
            }),
            queues: Some(queues()),
            watching: Some(watching()),
        }
    }

    #[test]
    fn what_is_kept_can_be_read_again() {
        let report = report();
        let kept = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&kept).unwrap(), report);
        let part =
            Report { path: None, clients: None, control: None, queues: None, watching: None, ..report };
        let kept = serde_json::to_string(&part).unwrap();
        assert!(!kept.contains("\"clients\""), "{kept}");
        assert_eq!(serde_json::from_str::<Report>(&kept).unwrap(), part);
    }

    #[test]
    fn every_part_is_in_the_text() {
        let text = report().to_string();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in [
            "TCP4 established, nat 65,536 90 92 60 3.0",
            "TCP4 SYN, nat, new flows new 99 101 69 3.3",
            "program, IPv4 nat: 16245 bytes of machine code, 19235 instructions verified",
            "Lightpath, nat 65,536 3,401,361 294 317 75 0.75 100.0 %",
            "Not installed, and so not measured: nft. `scripts/setup --bench` installs them.",
            "Lightpath, nat 74,900 97 % 0.40 1.10 14,800 96 % 16.0 18.5 40.0 8.0 MiB 5.0 MiB",
            "Lightpath, nat 80,000 98 % 0.50 – 16.0 18.5 40.0",
            "metrics read each second 3,300,000 305.0 1.001 303.0 1.000 0.4",
            "It took 7.0 ms to read the metrics once.",
            "1,000 10 1,021 47.0 5.0 500 50.0 20.0 MiB 13.0 MiB",
        ] {
            assert!(words.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn every_plot_can_be_drawn_and_has_a_name_of_its_own() {
        let sections = report().sections();
        let plots: Vec<_> = sections.iter().flat_map(|section| &section.plots).collect();
        let names: std::collections::BTreeSet<&str> = plots.iter().map(|plot| plot.name).collect();
        assert_eq!(names.len(), plots.len());
        assert!(names.contains("flows") && names.contains("rates") && names.contains("latency"), "{names:?}");
        assert!(plots.iter().all(|plot| plot.svg().unwrap().contains(&plot.title)));
    }
}

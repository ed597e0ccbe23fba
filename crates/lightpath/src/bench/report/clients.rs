//! What clients saw through each system.

use serde::{Deserialize, Serialize};

use super::plot::{Chart, Plot, Series};
use super::section::{Section, missing};
use super::sheet::{Sheet, mebibytes, whole};

/// Everything that clients saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Clients {
    /// How often each system was measured.
    pub(in crate::bench) rounds: u32,
    /// Milliseconds of each load.
    pub(in crate::bench) load_ms: u64,
    /// Flows that ask at a time, but for latencies.
    pub(in crate::bench) flows: usize,
    /// The systems; the first is direct routing, to which the others are compared.
    pub(in crate::bench) systems: Vec<Seen>,
    /// Programs that are not installed, whose systems are missing.
    pub(in crate::bench) missing: Vec<String>,
}

/// What clients saw through a system. Rates are medians of the rounds, shares medians of what they are of direct routing's of the
/// same round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Seen {
    /// The system.
    pub(in crate::bench) name: String,
    /// What it calls itself, if it is another program than this.
    pub(in crate::bench) version: Option<String>,
    /// Answers in a second, on connections that stay.
    pub(in crate::bench) requests_per_second: f64,
    /// Share of direct routing's.
    pub(in crate::bench) requests_of_direct: f64,
    /// Microseconds of the CPU that a request takes more than by direct routing.
    pub(in crate::bench) added_us: f64,
    /// Microseconds that the system's process and programs account for, for a request; nothing is known of the kernel's own.
    pub(in crate::bench) own_us: Option<f64>,
    /// Fresh connections in a second, each with a request.
    pub(in crate::bench) connections_per_second: f64,
    /// Share of direct routing's.
    pub(in crate::bench) connections_of_direct: f64,
    /// How long an answer takes on a connection that stays, while nothing else is asked.
    pub(in crate::bench) latency: Latency,
    /// The same with datagrams, if the system carries them.
    pub(in crate::bench) udp: Option<Datagrams>,
    /// Questions of all loads that were not answered.
    pub(in crate::bench) lost: u64,
    /// Resident memory of the system's process after all loads.
    pub(in crate::bench) resident_bytes: Option<u64>,
    /// Memory of its BPF maps.
    pub(in crate::bench) map_bytes: Option<u64>,
}

/// How long answers take, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Latency {
    /// Half of all take no longer.
    pub(in crate::bench) p50_us: f64,
    /// 90 % take no longer.
    pub(in crate::bench) p90_us: f64,
    /// 99 % take no longer.
    pub(in crate::bench) p99_us: f64,
    /// The percentiles from 1 to 99.
    pub(in crate::bench) curve: Vec<f64>,
}

/// Questions and answers in datagrams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Datagrams {
    /// Answers in a second.
    pub(in crate::bench) answers_per_second: f64,
    /// Share of direct routing's.
    pub(in crate::bench) share_of_direct: f64,
    /// Microseconds of the CPU that a question and its answer take more than by direct routing.
    pub(in crate::bench) added_us: f64,
    /// Microseconds that the system's process and programs account for.
    pub(in crate::bench) own_us: Option<f64>,
    /// How long an answer takes while nothing else is asked.
    pub(in crate::bench) latency: Latency,
}

impl Clients {
    /// As parts of the report.
    pub(in crate::bench) fn sections(&self) -> [Section; 2] {
        [self.tcp(), self.udp()]
    }

    fn tcp(&self) -> Section {
        let header = [
            "system",
            "requests/s",
            "of direct",
            "added µs",
            "own µs",
            "connections/s",
            "of direct",
            "p50 µs",
            "p90 µs",
            "p99 µs",
            "resident",
            "BPF maps",
        ];
        let mut sheet = Sheet::new(1, &header);
        for seen in &self.systems {
            let [p50, p90, p99] = seen.latency.cells();
            sheet.row([
                seen.name.clone(),
                whole(seen.requests_per_second),
                percent(seen.requests_of_direct),
                format!("{:.2}", seen.added_us),
                seen.own_us.map_or_else(unknown, |own| format!("{own:.2}")),
                whole(seen.connections_per_second),
                percent(seen.connections_of_direct),
                p50,
                p90,
                p99,
                seen.resident_bytes.map_or_else(unknown, mebibytes),
                seen.map_bytes.map_or_else(unknown, mebibytes),
            ]);
        }
        let bars = |rate: fn(&Seen) -> f64| {
            self.systems.iter().map(|seen| (seen.name.clone(), rate(seen))).collect()
        };
        let versions = self.systems.iter().filter_map(|seen| seen.version.clone());
        let lost: u64 = self.systems.iter().map(|seen| seen.lost).sum();
        let mut notes: Vec<String> = missing(&self.missing).into_iter().collect();
        notes.extend(versions);
        notes.push(format!("Questions of all loads, TCP and UDP, that were not answered: {lost}."));
        Section {
            title: "What clients see of TCP through one CPU".to_owned(),
            about: format!(
                "A client, the system on a host of its own, and a backend, each in a network namespace, joined by virtual links and a \
                 bridge; questions and answers have 64 bytes. All share one CPU: the rates are of {} flows that ask at a time, each \
                 again when it has its answer, and what a system takes is missing there. `added µs` is the time of the CPU that a \
                 request takes more than by direct routing, wherever it is spent; `own µs` what the system's process and BPF \
                 programs account for (the kernel takes no account of its own packet processing). A connection of `connections/s` \
                 is opened, asks once, and is closed by the server. Latency is that of one flow alone. {} rounds of {} ms.",
                self.flows, self.rounds, self.load_ms
            ),
            sheet,
            notes,
            plots: vec![
                Plot {
                    name: "requests",
                    title: "TCP requests per second through one CPU".to_owned(),
                    chart: Chart::Bars { unit: "requests/s", bars: bars(|seen| seen.requests_per_second) },
                },
                Plot {
                    name: "connections",
                    title: "TCP connections per second through one CPU".to_owned(),
                    chart: Chart::Bars {
                        unit: "connections/s",
                        bars: bars(|seen| seen.connections_per_second),
                    },
                },
                Plot {
                    name: "latency",
                    title: "How long answers take on one TCP connection".to_owned(),
                    chart: curves(self.systems.iter().map(|seen| (&seen.name, &seen.latency))),
                },
            ],
        }
    }

    fn udp(&self) -> Section {
        let header = ["system", "answers/s", "of direct", "added µs", "own µs", "p50 µs", "p90 µs", "p99 µs"];
        let mut sheet = Sheet::new(1, &header);
        let carried = || self.systems.iter().filter_map(|seen| Some((&seen.name, seen.udp.as_ref()?)));
        for (name, udp) in carried() {
            let [p50, p90, p99] = udp.latency.cells();
            sheet.row([
                name.clone(),
                whole(udp.answers_per_second),
                percent(udp.share_of_direct),
                format!("{:.2}", udp.added_us),
                udp.own_us.map_or_else(unknown, |own| format!("{own:.2}")),
                p50,
                p90,
                p99,
            ]);
        }
        let bars = carried().map(|(name, udp)| (name.clone(), udp.answers_per_second)).collect();
        Section {
            title: "What clients see of UDP through one CPU".to_owned(),
            about: "The same with datagrams, where the system carries them.".to_owned(),
            sheet,
            notes: Vec::new(),
            plots: vec![Plot {
                name: "datagrams",
                title: "UDP answers per second through one CPU".to_owned(),
                chart: Chart::Bars { unit: "answers/s", bars },
            }],
        }
    }
}

impl Latency {
    fn cells(&self) -> [String; 3] {
        [self.p50_us, self.p90_us, self.p99_us].map(|time| format!("{time:.1}"))
    }
}

/// How many of all answers had come after so long.
fn curves<'a>(latencies: impl Iterator<Item = (&'a String, &'a Latency)>) -> Chart {
    let series = latencies.map(|(name, latency)| {
        let percents = (1..).map(f64::from as fn(u8) -> f64);
        Series { name: name.clone(), points: latency.curve.iter().copied().zip(percents).collect() }
    });
    Chart::Lines { x: "µs", y: "percent of answers that take no longer", series: series.collect() }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn unknown() -> String {
    "–".to_owned()
}

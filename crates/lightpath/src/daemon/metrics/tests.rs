use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

use lightpath_control::health::LatencyFigures;
use lightpath_core::Reason;
use lightpath_dataplane::CpuCounters;

use super::process::Usage;
use super::*;
use crate::event::Kind as Event;
use crate::status::{
    BackendStatus, CpuStatus, FlowStatus, InterfaceStatus, Port, ProgramStatus, STATES, ServiceStatus, Status,
};

/// Of so many services with so many backends each, one of which is in each state.
fn figures(services: u16, backends: u16) -> Figures {
    let service = |service: u16| ServiceStatus {
        name: format!("service-{service}"),
        vip: Ipv4Addr::from_bits(0xcb00_7100 + u32::from(service)).into(),
        port: Port::One(443),
        protocol: "tcp".to_owned(),
        forward: "nat".to_owned(),
        packets: 0,
        bytes: 0,
        reply_packets: 0,
        reply_bytes: 0,
        new_flows: 0,
        dropped: u64::from(service),
        packets_per_second: 0.0,
        slots: 65_537,
        backends: (0..backends).map(|number| backend(service, number)).collect(),
    };
    Figures {
        status: Status {
            version: "1.2.3".to_owned(),
            instance: "default".to_owned(),
            time: 0.0,
            cpus: vec![CpuStatus {
                forwarded: 5,
                dropped: 6,
                packets_per_second: 0.0,
                given: Some(13),
                taken: Some(12),
            }],
            interfaces: vec![InterfaceStatus { name: "eth0".to_owned(), mode: "native".to_owned() }],
            program: ProgramStatus {
                id: 7,
                features: vec!["ipv4".to_owned(), "nat".to_owned()],
                jited_bytes: 9000,
            },
            flows: FlowStatus {
                moving_slots: 1,
                remembered: 2,
                table_bytes: 3,
                sessions: 4,
                session_bytes: 5,
            },
            drops: BTreeMap::from([(Reason::NoBackend.name().to_owned(), 11)]),
            drops_per_second: BTreeMap::new(),
            drop_examples: BTreeMap::new(),
            replies: BTreeMap::from([("reset".to_owned(), 11)]),
            overrides: vec!["service web: added".to_owned()],
            file_changed: false,
            services: (0..services).map(service).collect(),
        },
        cpus: vec![CpuCounters { forwarded: 5, dropped: 6 }, CpuCounters { forwarded: 7, dropped: 5 }],
        unresolved: 1,
        latencies: (0..services)
            .map(|service| (format!("service-{service}"), LatencyFigures { counts: [1; 12], sum: 0.5 }))
            .collect(),
        events: BTreeMap::from([(Event::BackendDown, 2), (Event::ProgramKept, 1)]),
        drains: 4,
        requests: BTreeMap::from([(("GET /v1/status".to_owned(), 200), 3)]),
        usage: Usage::now(SystemTime::now()),
    }
}

fn backend(service: u16, number: u16) -> BackendStatus {
    let state = STATES[usize::from(number) % STATES.len()];
    let is_down = state == "down";
    BackendStatus {
        address: Ipv4Addr::from_bits(0x0a00_0000 + u32::from(service) * 256 + u32::from(number)).into(),
        port: number.is_multiple_of(2).then_some(8443),
        weight: 100,
        state: state.to_owned(),
        cause: None,
        since: is_down.then_some(1_700_000_000),
        downs: is_down.then(|| ("refused".to_owned(), 2)).into_iter().collect(),
        check_seconds: Some(0.001_5),
        share: 0.1,
        flows: 3,
        packets: u64::MAX,
        bytes: 1_234_567_890_123,
        reply_packets: 2_345_678_901,
        reply_bytes: 2_345_678_901_234,
        new_flows: 4_567,
        packets_per_second: 0.0,
    }
}

#[test]
fn every_figure_is_told_to_its_last_digit() {
    let text = figures(2, 5).text().unwrap();
    for line in [
        "# TYPE lightpath_backend_packets counter",
        "lightpath_backend_packets_total{service=\"service-1\",backend=\"10.0.1.0:8443\"} 18446744073709551615",
        "lightpath_backend_new_flows_total{service=\"service-0\",backend=\"10.0.0.1\"} 4567",
        "lightpath_backend_bytes_total{service=\"service-0\",backend=\"10.0.0.1\"} 1234567890123",
        "lightpath_backend_up{service=\"service-0\",backend=\"10.0.0.1\"} 0",
        "lightpath_backend_state{service=\"service-0\",backend=\"10.0.0.4:8443\",state=\"down\"} 1",
        "lightpath_backend_outages_total{service=\"service-0\",backend=\"10.0.0.4:8443\",cause=\"refused\"} 2",
        "lightpath_backend_down_since_timestamp_seconds{service=\"service-0\",backend=\"10.0.0.4:8443\"} 1700000000",
        "lightpath_service_info{service=\"service-0\",vip=\"203.0.113.0\",port=\"443\",protocol=\"tcp\",forward=\"nat\"} 1",
        "lightpath_service_backends{service=\"service-1\",state=\"draining\"} 1",
        "lightpath_dropped_packets_total{reason=\"no-backend\"} 11",
        "lightpath_dropped_packets_total{reason=\"too-big\"} 0",
        "lightpath_replies_total{kind=\"reset\"} 11",
        "lightpath_cpu_forwarded_packets_total{cpu=\"1\"} 7",
        "lightpath_cpu_given_packets_total{cpu=\"0\"} 13",
        "lightpath_cpu_taken_packets_total{cpu=\"0\"} 12",
        "lightpath_api_requests_total{operation=\"GET /v1/status\",status=\"200\"} 3",
        "lightpath_program_info{id=\"7\",features=\"ipv4,nat\"} 1",
        "lightpath_moving_slots 1",
        "lightpath_events_total{event=\"backend-down\"} 2",
        "lightpath_events_total{event=\"backend-up\"} 0",
        "lightpath_upgrades_total{result=\"kept\"} 1",
        "lightpath_drains 4",
        "lightpath_backend_check_seconds{service=\"service-0\",backend=\"10.0.0.1\"} 0.0015",
        "lightpath_check_duration_seconds_bucket{le=\"0.001\",service=\"service-1\"} 2",
        "lightpath_check_duration_seconds_bucket{le=\"+Inf\",service=\"service-1\"} 12",
        "lightpath_check_duration_seconds_count{service=\"service-1\"} 12",
        "lightpath_program_feature{feature=\"nat\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn each_metric_has_a_name_of_its_own_and_a_sample() {
    let text = figures(1, 5).text().unwrap();
    let mut names = BTreeSet::new();
    for metric in SECTIONS.into_iter().flat_map(|(_, metrics)| metrics) {
        let name = metric.full_name();
        let suffix = if matches!(metric.kind, metric::Kind::Histogram) { "_bucket" } else { "" };
        let sample = format!("{name}{suffix}");
        let is_sample = |line: &str| line.split(['{', ' ']).next() == Some(&sample);
        assert!(text.lines().any(is_sample), "{name} has no sample");
        assert!(!metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
        assert!(names.insert(name.clone()), "{name} is declared twice");
    }
}

#[test]
fn what_a_cpu_has_counted_never_shrinks() {
    let mut totals = CpuTotals::default();
    // A backend that leaves takes what it was sent with it, and fresh tables begin at 0.
    for (counted, expected) in [(100, 100), (150, 150), (30, 150), (40, 160), (0, 160), (5, 165)] {
        let now = [CpuCounters { forwarded: counted, dropped: 2 * counted }];
        let told = totals.take(&now);
        assert_eq!(told, [CpuCounters { forwarded: expected, dropped: 2 * expected }], "after {counted}");
    }
}

#[test]
fn ten_thousand_backends_are_told_in_time() {
    let figures = figures(1000, 10);
    let start = Instant::now();
    let text = figures.text().unwrap();
    let took = start.elapsed();
    assert!(text.lines().count() > 100_000);
    // An optimised build has to do it in 100 ms; this one may be neither optimised nor alone on the machine.
    let limit = if cfg!(debug_assertions) { Duration::from_secs(5) } else { Duration::from_millis(100) };
    assert!(took < limit, "{took:?}");
}

#[test]
fn the_reference_is_current() {
    let page = include_str!("../../../../../docs/metrics.md");
    assert_eq!(page, markdown(), "write it anew: lightpath reference metrics > docs/metrics.md");
}

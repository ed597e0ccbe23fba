//! What becomes of packets to each service, and how its backends are.

use std::fmt;

use lightpath_control::health::BOUNDS;

use super::Figures;
use super::metric::{Kind, Metric, Samples};
use crate::status::{BackendStatus, STATES, ServiceStatus};

const OF_SERVICE: &[&str] = &["service"];
const OF_BACKEND: &[&str] = &["service", "backend"];

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "lightpath_service",
        kind: Kind::Info,
        unit: None,
        labels: &["service", "vip", "port", "protocol", "forward"],
        help: "What a service is",
        read: |figures, samples| {
            services(figures, |service| {
                let (vip, port) = (service.vip.to_string(), service.port.to_string());
                samples.say([&service.name, &vip, &port, &service.protocol, &service.forward])
            })
        },
    },
    Metric {
        name: "lightpath_service_dropped_packets",
        kind: Kind::Counter,
        unit: None,
        labels: OF_SERVICE,
        help: "Packets to a service that were dropped; lightpath_dropped_packets_total has the reasons",
        read: |figures, samples| services(figures, |service| samples.add([&service.name], service.dropped)),
    },
    Metric {
        name: "lightpath_service_backends",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "state"],
        help: "Backends of a service in each state",
        read: |figures, samples| {
            services(figures, |service| {
                STATES.into_iter().try_for_each(|state| {
                    let are = service.backends.iter().filter(|backend| backend.state == state).count();
                    samples.add([&service.name, state], are)
                })
            })
        },
    },
    Metric {
        name: "lightpath_backend_packets",
        kind: Kind::Counter,
        unit: None,
        labels: OF_BACKEND,
        help: "Packets forwarded to a backend",
        read: |figures, samples| of_backends(figures, samples, |backend| backend.packets),
    },
    Metric {
        name: "lightpath_backend",
        kind: Kind::Counter,
        unit: Some("bytes"),
        labels: OF_BACKEND,
        help: "Bytes of packets forwarded to a backend, as they arrived, from the Ethernet header on",
        read: |figures, samples| of_backends(figures, samples, |backend| backend.bytes),
    },
    Metric {
        name: "lightpath_backend_reply_packets",
        kind: Kind::Counter,
        unit: None,
        labels: OF_BACKEND,
        help: "Packets of a backend forwarded to clients; none where it answers clients itself",
        read: |figures, samples| of_backends(figures, samples, |backend| backend.reply_packets),
    },
    Metric {
        name: "lightpath_backend_reply",
        kind: Kind::Counter,
        unit: Some("bytes"),
        labels: OF_BACKEND,
        help: "Bytes of packets of a backend forwarded to clients",
        read: |figures, samples| of_backends(figures, samples, |backend| backend.reply_bytes),
    },
    Metric {
        name: "lightpath_backend_new_flows",
        kind: Kind::Counter,
        unit: None,
        labels: OF_BACKEND,
        help: "Flows opened to a backend, as far as packets show it: TCP connections, by their SYN",
        read: |figures, samples| of_backends(figures, samples, |backend| backend.new_flows),
    },
    Metric {
        name: "lightpath_backend_up",
        kind: Kind::Gauge,
        unit: None,
        labels: OF_BACKEND,
        help: "1 while a backend is up and takes new flows, otherwise 0",
        read: |figures, samples| of_backends(figures, samples, |backend| u64::from(backend.state == "up")),
    },
    Metric {
        name: "lightpath_backend_state",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "backend", "state"],
        help: "1 for the state that a backend is in; other states have no sample",
        read: |figures, samples| {
            backends(figures, |service, endpoint, backend| {
                samples.add([service, endpoint, &backend.state], true)
            })
        },
    },
    Metric {
        name: "lightpath_backend_down_since_timestamp",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        labels: OF_BACKEND,
        help: "Since when a backend fails its checks, as Unix time; only while it does",
        read: |figures, samples| {
            backends(figures, |service, endpoint, backend| {
                backend.since.map_or(Ok(()), |since| samples.add([service, endpoint], since))
            })
        },
    },
    Metric {
        name: "lightpath_backend_outages",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "backend", "cause"],
        help: "How often checks took a backend down since the daemon started, by cause; causes that did not occur have no \
               sample",
        read: |figures, samples| {
            backends(figures, |service, endpoint, backend| {
                let mut downs = backend.downs.iter();
                downs.try_for_each(|(cause, count)| samples.add([service, endpoint, cause], *count))
            })
        },
    },
    Metric {
        name: "lightpath_backend_check",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        labels: OF_BACKEND,
        help: "How long the last check of a backend took; none where it is not checked",
        read: |figures, samples| {
            backends(figures, |service, endpoint, backend| {
                backend.check_seconds.map_or(Ok(()), |seconds| samples.add([service, endpoint], seconds))
            })
        },
    },
    Metric {
        name: "lightpath_check_duration",
        kind: Kind::Histogram,
        unit: Some("seconds"),
        labels: OF_SERVICE,
        help: "How long checks of a service's backends take, whatever they find",
        read: |figures, samples| {
            figures.latencies.iter().try_for_each(|(service, latency)| {
                samples.classes([service], latency.sum, &BOUNDS, &latency.counts)
            })
        },
    },
    Metric {
        name: "lightpath_backend_weight",
        kind: Kind::Gauge,
        unit: None,
        labels: OF_BACKEND,
        help: "The configured weight of a backend; 0 drains it",
        read: |figures, samples| of_backends(figures, samples, |backend| u64::from(backend.weight)),
    },
    Metric {
        name: "lightpath_backend_share",
        kind: Kind::Gauge,
        unit: Some("ratio"),
        labels: OF_BACKEND,
        help: "The part of new flows that a backend gets, 0 to 1",
        read: |figures, samples| {
            backends(figures, |service, endpoint, backend| samples.add([service, endpoint], backend.share))
        },
    },
    Metric {
        name: "lightpath_backend_flows",
        kind: Kind::Gauge,
        unit: None,
        labels: OF_BACKEND,
        help: "Flows remembered to stay with a backend: what remains of a drain; with fullnat all of its flows",
        read: |figures, samples| of_backends(figures, samples, |backend| backend.flows as u64),
    },
];

fn services(figures: &Figures, each: impl FnMut(&ServiceStatus) -> fmt::Result) -> fmt::Result {
    figures.status.services.iter().try_for_each(each)
}

/// Calls with service, backend as labels name it, and what is known of it.
fn backends(
    figures: &Figures,
    mut each: impl FnMut(&str, &str, &BackendStatus) -> fmt::Result,
) -> fmt::Result {
    services(figures, |service| {
        service.backends.iter().try_for_each(|backend| each(&service.name, &backend.endpoint(), backend))
    })
}

fn of_backends(
    figures: &Figures,
    samples: &mut Samples<'_>,
    value: impl Fn(&BackendStatus) -> u64,
) -> fmt::Result {
    backends(figures, |service, endpoint, backend| samples.add([service, endpoint], value(backend)))
}

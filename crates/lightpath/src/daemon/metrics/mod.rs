//! Metrics for Prometheus, in the OpenMetrics text format.
//!
//! Every metric is declared once, in [`node`], [`services`] or [`process`]: its name, type, labels and meaning beside what reads
//! its value. What is served and `docs/metrics.md` both come from these declarations.

mod classic;
mod endpoint;
mod figures;
mod metric;
mod node;
mod process;
mod reference;
mod services;

pub(super) use endpoint::Endpoint;
pub(super) use figures::{CpuTotals, Figures};
use metric::Metric;
pub(crate) use reference::markdown;

/// The sections of the reference, each with its metrics.
const SECTIONS: [(&str, &[Metric]); 3] = [
    ("Services and backends", services::METRICS),
    ("The node", node::METRICS),
    ("The process", process::METRICS),
];

/// How OpenMetrics names its text format.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests;

//! What a metric is, and how its values are written.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::{Figures, SECTIONS};

/// A declared metric.
pub(super) struct Metric {
    /// Its name without unit, and without what its type adds.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<&'static str>,
    /// Names of its labels.
    pub(super) labels: &'static [&'static str],
    /// One sentence without a full stop, as Prometheus shows it.
    pub(super) help: &'static str,
    /// Adds a sample for each value.
    pub(super) read: fn(&Figures, &mut Samples<'_>) -> fmt::Result,
}

/// The type of a metric.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// What only grows, but for starting from 0 again.
    Counter,
    /// What goes up and down.
    Gauge,
    /// Labels are all that it says; its value is 1.
    Info,
    /// How many of something were at most so large, by upper bounds.
    Histogram,
}

impl Kind {
    /// As in the reference.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }
}

impl From<Kind> for MetricType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter,
            Kind::Gauge => Self::Gauge,
            Kind::Info => Self::Info,
            Kind::Histogram => Self::Histogram,
        }
    }
}

impl Metric {
    /// The name that queries use.
    pub(super) fn full_name(&self) -> String {
        let suffix = match self.kind {
            Kind::Counter => Some("total"),
            Kind::Gauge | Kind::Histogram => None,
            Kind::Info => Some("info"),
        };
        [Some(self.name), self.unit, suffix].into_iter().flatten().collect::<Vec<_>>().join("_")
    }
}

/// The samples of one metric, as they are written.
pub(super) struct Samples<'a> {
    metric: &'static Metric,
    encoder: MetricEncoder<'a>,
}

impl Samples<'_> {
    /// Adds a sample with a value for each of the metric's labels, in their order.
    pub(super) fn add<const LABELS: usize>(
        &mut self,
        values: [&str; LABELS],
        value: impl Into<Value>,
    ) -> fmt::Result {
        let labels = self.labels(values);
        let Self { encoder, metric } = self;
        match metric.kind {
            Kind::Info => encoder.encode_info(&labels),
            // No braces without labels: clients look for the bare name.
            kind if LABELS == 0 => write(encoder, kind, value.into()),
            kind => write(&mut encoder.encode_family(&labels)?, kind, value.into()),
        }
    }

    /// Adds the samples of a histogram; `counts` has one more than `bounds`, for what is larger than all.
    pub(super) fn classes<const LABELS: usize>(
        &mut self,
        values: [&str; LABELS],
        sum: f64,
        bounds: &[f64],
        counts: &[u64],
    ) -> fmt::Result {
        let labels = self.labels(values);
        let bounds = bounds.iter().copied().chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let mut sample = self.encoder.encode_family(&labels)?;
        sample.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn labels<'b, const LABELS: usize>(
        &self,
        values: [&'b str; LABELS],
    ) -> [(&'static str, &'b str); LABELS] {
        debug_assert_eq!(LABELS, self.metric.labels.len(), "{}", self.metric.name);
        let mut labels = values.map(|value| ("", value));
        for (label, name) in labels.iter_mut().zip(self.metric.labels) {
            label.0 = name;
        }
        labels
    }

    /// Adds the sample of an info.
    pub(super) fn say<const LABELS: usize>(&mut self, values: [&str; LABELS]) -> fmt::Result {
        self.add(values, 1_u64)
    }
}

fn write(sample: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(count)) => sample.encode_counter::<NoLabelSet, _, f64>(&count, None),
        (Kind::Counter, Value::Real(count)) => sample.encode_counter::<NoLabelSet, _, f64>(&count, None),
        (_, Value::Whole(value)) => sample.encode_gauge(&value),
        (_, Value::Real(value)) => sample.encode_gauge(&value),
    }
}

/// A value; whole numbers are written to their last digit.
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in SECTIONS.into_iter().flat_map(|(_, metrics)| metrics) {
            let unit = metric.unit.map(|unit| Unit::Other(unit.to_owned()));
            let encoder =
                encoder.encode_descriptor(metric.name, metric.help, unit.as_ref(), metric.kind.into())?;
            (metric.read)(self, &mut Samples { metric, encoder })?;
        }
        Ok(())
    }
}

impl Figures {
    /// All metrics at this moment, as OpenMetrics.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

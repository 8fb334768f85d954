//! Metric families as data, and their way into prometheus-client.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::kernel::status::Histogram;

/// Names are ours, values may be anything.
pub(super) type Labels = Vec<(&'static str, String)>;

/// One metric with all its series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    /// With its unit; a counter's without `_total`, which the encoder adds.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) values: Values,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Gauge(Vec<(Labels, Number)>),
    Counter(Vec<(Labels, Number)>),
    Histogram(Histogram),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<bool> for Number {
    fn from(yes: bool) -> Self {
        Self::Whole(yes.into())
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// Unix time in seconds, whole whenever it can be.
impl From<chrono::DateTime<chrono::Utc>> for Number {
    fn from(instant: chrono::DateTime<chrono::Utc>) -> Self {
        match u64::try_from(instant.timestamp()) {
            Ok(seconds) if instant.timestamp_subsec_millis() == 0 => Self::Whole(seconds),
            // Milliseconds of this age are far below 2^53.
            #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
            _ => Self::Real(instant.timestamp_millis() as f64 / 1000.0),
        }
    }
}

pub(super) fn gauge(name: &'static str, help: &'static str, value: impl Into<Number>) -> Family {
    gauges(name, help, [(vec![], value.into())])
}

/// No series when the value is not known.
pub(super) fn known_gauge<N: Into<Number>>(name: &'static str, help: &'static str, value: Option<N>) -> Family {
    gauges(name, help, value.map(|value| (vec![], value.into())))
}

pub(super) fn gauges(
    name: &'static str,
    help: &'static str,
    series: impl IntoIterator<Item = (Labels, Number)>,
) -> Family {
    Family { name, help, values: Values::Gauge(series.into_iter().collect()) }
}

pub(super) fn counter(name: &'static str, help: &'static str, value: impl Into<Number>) -> Family {
    counters(name, help, [(vec![], value.into())])
}

pub(super) fn counters(
    name: &'static str,
    help: &'static str,
    series: impl IntoIterator<Item = (Labels, Number)>,
) -> Family {
    Family { name, help, values: Values::Counter(series.into_iter().collect()) }
}

pub(super) fn histogram(name: &'static str, help: &'static str, histogram: &Histogram) -> Family {
    Family { name, help, values: Values::Histogram(histogram.clone()) }
}

impl Family {
    pub(super) fn has_series(&self) -> bool {
        match &self.values {
            Values::Gauge(series) | Values::Counter(series) => !series.is_empty(),
            Values::Histogram(_) => true,
        }
    }
}

impl Collector for Family {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        match &self.values {
            Values::Gauge(series) => {
                let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?;
                encode_series(&mut metric, series, |metric, number| match number {
                    Number::Whole(number) => metric.encode_gauge(&number),
                    Number::Real(number) => metric.encode_gauge(&number),
                })
            }
            Values::Counter(series) => {
                let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
                encode_series(&mut metric, series, |metric, number| match number {
                    Number::Whole(number) => metric.encode_counter::<NoLabelSet, _, u64>(&number, None),
                    Number::Real(number) => metric.encode_counter::<NoLabelSet, _, f64>(&number, None),
                })
            }
            Values::Histogram(histogram) => {
                let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Histogram)?;
                let mut buckets = Cow::Borrowed(histogram.buckets());
                buckets.to_mut().push((f64::INFINITY, histogram.above()));
                metric.encode_histogram::<NoLabelSet>(histogram.sum(), histogram.count(), &buckets, None)
            }
        }
    }
}

fn encode_series(
    metric: &mut MetricEncoder,
    series: &[(Labels, Number)],
    encode: impl Fn(&mut MetricEncoder, Number) -> fmt::Result,
) -> fmt::Result {
    for (labels, number) in series {
        if labels.is_empty() {
            encode(metric, *number)?;
        } else {
            encode(&mut metric.encode_family(labels)?, *number)?;
        }
    }
    Ok(())
}

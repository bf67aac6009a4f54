//! Measurements in messages.

use crate::metrics::{Measured, Metric, Value};
use proto::mediaproxy as pb;

/// Measurements in messages.
#[must_use]
pub fn metric_message(metric: &Metric) -> pb::Metric {
    use pb::metric_field::Value as Wire;
    let fields = metric.measured.fields().map(|(name, value)| pb::MetricField {
        name: name.to_owned(),
        value: Some(match value {
            Value::Text(text) => Wire::StrValue(text),
            Value::Unsigned(number) => Wire::UintValue(number),
            Value::Real(number) => Wire::DoubleValue(number),
            Value::Bool(yes) => Wire::BoolValue(yes),
        }),
    });
    pb::Metric {
        timestamp_ms: metric.timestamp_ms,
        provider_id: metric.provider.clone(),
        fields: fields.collect(),
    }
}

/// Measurements from a message; unknown fields, and those without a value, are left out.
#[must_use]
pub fn metric(message: pb::Metric) -> Metric {
    use pb::metric_field::Value as Wire;
    let mut measured = Measured::default();
    for field in message.fields {
        let value = match field.value {
            Some(Wire::StrValue(text)) => Value::Text(text),
            Some(Wire::UintValue(number)) => Value::Unsigned(number),
            Some(Wire::DoubleValue(number)) => Value::Real(number),
            Some(Wire::BoolValue(yes)) => Value::Bool(yes),
            None => continue,
        };
        measured.set(&field.name, value);
    }
    Metric { timestamp_ms: message.timestamp_ms, provider: message.provider_id, measured }
}

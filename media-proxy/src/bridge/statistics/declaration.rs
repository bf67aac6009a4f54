//! How statistics are declared.
//!
//! A declaration names each counter and each measurement once, with its unit, type, help text and
//! labels. The struct that a bridge fills follows from it, and the table by which the control
//! service, Prometheus and agents read that struct.

use daemon::exposition::Kind;
use serde::{Deserialize, Serialize};

/// A metric of Prometheus, with the statistics of an `S` that it consists of.
pub(crate) struct Family<S: 'static> {
    /// Empty for a statistic that only `ListBridges` has, as it is the sum of others.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Unit of the samples. What is in seconds here is in microseconds in the struct and in
    /// `ListBridges`, where its name ends with `_us`.
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
    /// The label by which the members differ, or empty.
    pub(crate) label: &'static str,
    pub(crate) members: &'static [Member<S>],
}

/// A counter or a measurement.
pub(crate) struct Member<S> {
    /// Its name in `ListBridges`, without the prefix of a path and the suffixes of its figure.
    pub(crate) name: &'static str,
    /// The value of the family's label.
    pub(crate) value: &'static str,
    pub(crate) get: fn(&S) -> Option<Figure>,
}

/// The value of a statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// A count since the bridge began.
    Count(u64),
    /// What was measured last.
    Value(f64),
    /// The greatest of some values.
    Max(Max),
    /// The range of some values.
    Spread(Spread),
}

/// The greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Max(pub(crate) f64);

/// The least, the mean and the greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) max: f64,
}

impl Figure {
    /// What was measured, each value with that of the label `stat`; nothing of a count.
    pub(crate) fn measured(self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Count(_) => Vec::new(),
            Self::Value(value) => vec![("", value)],
            Self::Max(Max(value)) => vec![("max", value)],
            Self::Spread(Spread { min, mean, max }) => {
                vec![("min", min), ("mean", mean), ("max", max)]
            }
        }
    }
}

impl From<u64> for Figure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Figure {
    fn from(yes: bool) -> Self {
        Self::Count(yes.into())
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::Value(value)
    }
}

impl From<Max> for Figure {
    fn from(max: Max) -> Self {
        Self::Max(max)
    }
}

impl From<Spread> for Figure {
    fn from(spread: Spread) -> Self {
        Self::Spread(spread)
    }
}

/// Declares a struct of statistics by its families:
/// `"name": Kind, "unit", "help", by "label" { field: type as "name" = "label's value", … }`.
/// The name in `ListBridges` is the field's unless `as` gives another one.
macro_rules! statistics {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
    (
        $(#[$doc:meta])*
        struct $statistics:ident {
            $($family:literal: $kind:ident, $unit:literal, $help:literal $(, by $label:literal)? {
                $($field:ident: $type:ty $(as $name:literal)? $(= $value:literal)?,)+
            })*
        }
        $(with { $($(#[$part_doc:meta])* $part:ident: $part_type:ty,)* })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $statistics {
            $($(pub(crate) $field: Option<$type>,)+)*
            $($($(#[$part_doc])* pub(crate) $part: $part_type,)*)?
        }

        impl $statistics {
            /// All statistics by family.
            pub(crate) const FAMILIES: &[Family<Self>] = &[$(Family {
                name: $family,
                kind: Kind::$kind,
                unit: $unit,
                help: $help,
                label: concat!("" $(, $label)?),
                members: &[$(Member {
                    name: statistics!(@name $field $($name)?),
                    value: concat!("" $(, $value)?),
                    get: |statistics| statistics.$field.map(Figure::from),
                },)+],
            },)*];
        }
    };
}

/// Takes all counters of a struct over into statistics of the same names. What is no statistic of
/// its name stands behind the semicolon, and is bound to a pattern. A counter that is left out does
/// not compile.
macro_rules! take {
    (
        let $counts:ident { $($field:ident),+ $(; $($other:ident: $pattern:pat),+)? } = $from:expr;
        let $into:ident = $statistics:ident { ..$base:expr }
    ) => {
        let $counts { $($field,)+ $($($other: $pattern,)+)? } = $from;
        let $into = $statistics { $($field: Some($field),)+ ..$base };
    };
}

pub(crate) use {statistics, take};

//! Queries the mesh for the format of an input's group.

use crate::config::{self, Payload, Way};
use crate::context::Context;
use crate::error::Error;
use crate::interrupt;
use crate::mesh::Client;
use crate::option_names::in_options;
use crate::options::Direction;
use crate::settings::Settings;
use crate::waiting::{self, Limit, Waiting};
use serde_json::Value;
use std::ffi::c_int;

/// Time limit of one query; between two, the device checks for reasons to stop waiting.
const LOOK_MS: c_int = 100;

/// Format of a group.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    payload: Value,
}

/// Part of the format that an input's options give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Something,
    Everything,
}

impl Told {
    /// From the options that make up the format, and whether each was given.
    pub(crate) fn of(given: &[bool]) -> Self {
        if given.iter().all(|given| *given) {
            Self::Everything
        } else if given.iter().any(|given| *given) {
            Self::Something
        } else {
            Self::Nothing
        }
    }
}

/// Asks for the group. `None` if there is no need to, or no group in time.
///
/// An input that was told nothing of the format waits for its group as long as it takes, where the
/// group is one of the mesh: it could as well wait for frames. All others wait only if the user
/// says so.
pub(crate) fn ask(
    context: Context,
    client: &Client,
    settings: &Settings,
    told: Told,
    default: &Payload,
) -> Result<Option<Group>, Error> {
    // A configuration that is wrong in any case fails without a wait.
    let text = config::connection(settings, Direction::Rx, default)?;
    let way = config::way(settings)?;
    let Some(name) = config::group(settings, way) else { return Ok(None) };
    if told == Told::Everything {
        return Ok(None);
    }
    if !client.knows_groups() {
        context.log_warning(
            "this libmcm_dp.so.1 cannot tell what a group carries: defaults are assumed",
        );
        return Ok(None);
    }
    // Options that contradict the group are completed by the defaults. Without options, the
    // defaults are a guess: for a group it would be a wrong one, which the user would have to find
    // in FFmpeg's output.
    let guess = told == Told::Something || (way == Way::St2110 && settings.group_timeout.is_none());
    let limit = match settings.group_timeout {
        Some(ms) => Some(Limit { option: "group_timeout", ms }),
        None if guess => Some(Limit { option: "group_timeout", ms: 0 }),
        None => Limit::of(settings),
    };
    if limit.is_none_or(|limit| limit.ms > 0) {
        ::config::ConnectionConfig::from_json(&text, ::config::Kind::Receiver)
            .map_err(|error| Error::Data(in_options(&error.to_string())))?;
    }
    let shown = waiting::name(settings)?;
    let mut waiting = Waiting::new(limit);
    loop {
        let look = waiting.left().map_or(LOOK_MS, |left| {
            c_int::try_from(left.as_millis()).unwrap_or(LOOK_MS).min(LOOK_MS)
        });
        if let Some(text) = client.group(&name, look)? {
            let unreadable = |error: serde_json::Error| Error::Data(error.to_string());
            let mut json: Value = serde_json::from_str(&text).map_err(unreadable)?;
            return Ok(Some(Group { name, payload: json["payload"].take() }));
        }
        match waiting.goes_on(context, || shown.clone()) {
            Err(Error::TimedOut { .. }) if guess => return Ok(None),
            looked => looked?,
        }
        if context.wants_to_end() || interrupt::signalled() {
            return Err(Error::Exit);
        }
    }
}

impl Group {
    /// Its payload, if it is of this kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Result<&Value, Error> {
        self.payload.get(kind).ok_or_else(|| {
            let carried = self.payload.as_object().and_then(|it| it.keys().next());
            let carried = carried.map_or("something else", String::as_str);
            Error::Data(format!("group \"{}\" carries {carried}, not {kind}", self.name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_told() {
        assert_eq!(Told::of(&[false, false]), Told::Nothing);
        assert_eq!(Told::of(&[true, false]), Told::Something);
        assert_eq!(Told::of(&[true, true]), Told::Everything);
    }

    #[test]
    fn another_kind_is_named() {
        let group = Group { name: "x".into(), payload: json!({ "audio": {} }) };
        assert!(group.of_kind("audio").is_ok());
        let error = group.of_kind("video").unwrap_err().to_string();
        assert_eq!(error, "group \"x\" carries audio, not video");
    }
}

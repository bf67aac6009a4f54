//! `a=ts-refclk`: the reference clock of timestamps.

use std::fmt;
use std::str::FromStr;

use super::ReferenceError;

const ATTRIBUTE: &str = "ts-refclk";
const ACCEPTED: &str =
    "ptp=VERSION:GMID[:DOMAIN], ptp=VERSION:traceable, localmac=MAC or another SOURCE[=VALUE]";

/// A reference clock: the value of `a=ts-refclk` (RFC 7273 §4.8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReferenceClock {
    /// A clock of PTP.
    Ptp {
        /// The profile's standard, such as `IEEE1588-2008`.
        version: String,
        /// Which clock of PTP; `None` if only the version is given.
        server: Option<PtpServer>,
    },
    /// The host's own clock, named by a MAC address: the sender is not locked to anything.
    LocalMac([u8; 6]),
    /// Another source (`ntp=…`, `gps`, `private`, …), as it was written.
    Other(String),
}

/// Which clock of PTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PtpServer {
    /// A grandmaster.
    Grandmaster {
        /// Its clock identity (EUI-64).
        id: [u8; 8],
        /// The domain, if it is given.
        domain: Option<Domain>,
    },
    /// Any clock that is traceable to TAI.
    Traceable,
}

/// A domain of PTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A number; ST 2059-2 uses 127 by default.
    Number(u8),
    /// A name, of IEEE 1588-2002.
    Name(String),
}

impl ReferenceClock {
    /// The version of PTP that ST 2059-2 is a profile of.
    pub const PTP_VERSION: &str = "IEEE1588-2008";

    /// A grandmaster of IEEE 1588-2008.
    pub fn grandmaster(id: [u8; 8], domain: u8) -> Self {
        let server = PtpServer::Grandmaster { id, domain: Some(Domain::Number(domain)) };
        Self::Ptp { version: Self::PTP_VERSION.to_owned(), server: Some(server) }
    }

    /// Any traceable clock of IEEE 1588-2008.
    pub fn traceable() -> Self {
        let server = Some(PtpServer::Traceable);
        Self::Ptp { version: Self::PTP_VERSION.to_owned(), server }
    }
}

impl FromStr for ReferenceClock {
    type Err = ReferenceError;

    /// Reads the value of the attribute, without its name.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let text = text.trim();
        let refuse = || ReferenceError::new(ATTRIBUTE, text, ACCEPTED);
        if text.is_empty() || text.contains(char::is_control) {
            return Err(refuse());
        }
        if let Some(mac) = text.strip_prefix("localmac=") {
            return octets(mac).map(Self::LocalMac).ok_or_else(refuse);
        }
        let Some(ptp) = text.strip_prefix("ptp=") else { return Ok(Self::Other(text.to_owned())) };
        let (version, rest) =
            ptp.split_once(':').map_or((ptp, None), |(version, rest)| (version, Some(rest)));
        if version.is_empty() {
            return Err(refuse());
        }
        let server = rest.map(|rest| server(rest).ok_or_else(refuse)).transpose()?;
        Ok(Self::Ptp { version: version.to_owned(), server })
    }
}

fn server(text: &str) -> Option<PtpServer> {
    if text == "traceable" {
        return Some(PtpServer::Traceable);
    }
    let (id, domain) = text.split_once(':').map_or((text, None), |(id, domain)| (id, Some(domain)));
    let domain = match domain {
        None => None,
        Some(domain) => Some(match domain.strip_prefix("domain-name=") {
            Some(name) if (1..=16).contains(&name.len()) => Domain::Name(name.to_owned()),
            Some(_) => return None,
            // ST 2110-10 writes the number alone, RFC 7273 with a name in front.
            None => {
                Domain::Number(domain.strip_prefix("domain-nmbr=").unwrap_or(domain).parse().ok()?)
            }
        }),
    };
    Some(PtpServer::Grandmaster { id: octets(id)?, domain })
}

/// Reads octets in hexadecimal with hyphens between them.
fn octets<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let mut parts = text.split('-');
    for octet in &mut out {
        let part = parts.next()?;
        if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(out)
}

fn write_octets(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    for (i, octet) in octets.iter().enumerate() {
        let hyphen = if i == 0 { "" } else { "-" };
        write!(f, "{hyphen}{octet:02X}")?;
    }
    Ok(())
}

impl fmt::Display for ReferenceClock {
    /// Writes the value of the attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ptp { version, server } => {
                write!(f, "ptp={version}")?;
                match server {
                    None => Ok(()),
                    Some(PtpServer::Traceable) => f.write_str(":traceable"),
                    Some(PtpServer::Grandmaster { id, domain }) => {
                        f.write_str(":")?;
                        write_octets(f, id)?;
                        match domain {
                            None => Ok(()),
                            Some(Domain::Number(number)) => write!(f, ":{number}"),
                            Some(Domain::Name(name)) => write!(f, ":domain-name={name}"),
                        }
                    }
                }
            }
            Self::LocalMac(mac) => {
                f.write_str("localmac=")?;
                write_octets(f, mac)
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_of_the_standards() {
        let id = [0x39, 0xa7, 0x94, 0xff, 0xfe, 0x07, 0xcb, 0xd0];
        for (text, expected) in [
            ("ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:37", ReferenceClock::grandmaster(id, 37)),
            (
                "ptp=IEEE1588-2008:39-a7-94-ff-fe-07-cb-d0:domain-nmbr=37",
                ReferenceClock::grandmaster(id, 37),
            ),
            ("ptp=IEEE1588-2008:traceable", ReferenceClock::traceable()),
            (
                "ptp=IEEE1588-2002:39-A7-94-FF-FE-07-CB-D0:domain-name=_DFLT",
                ReferenceClock::Ptp {
                    version: "IEEE1588-2002".to_owned(),
                    server: Some(PtpServer::Grandmaster {
                        id,
                        domain: Some(Domain::Name("_DFLT".to_owned())),
                    }),
                },
            ),
            (
                "ptp=IEEE1588-2008",
                ReferenceClock::Ptp { version: "IEEE1588-2008".to_owned(), server: None },
            ),
            (
                "localmac=7C-E9-D3-1B-9A-AF",
                ReferenceClock::LocalMac([0x7c, 0xe9, 0xd3, 0x1b, 0x9a, 0xaf]),
            ),
            ("ntp=/traceable/", ReferenceClock::Other("ntp=/traceable/".to_owned())),
            ("gps", ReferenceClock::Other("gps".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected));
        }
    }

    #[test]
    fn broken_values_are_refused() {
        for text in [
            "",
            "ptp=",
            "ptp=:traceable",
            "ptp=IEEE1588-2008:",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0-11",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:256",
            "ptp=IEEE1588-2008:+9-A7-94-FF-FE-07-CB-D0:1",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:domain-name=",
            "localmac=7C-E9-D3-1B-9A",
            "localmac=7C:E9:D3:1B:9A:AF",
        ] {
            let error = text.parse::<ReferenceClock>().expect_err(text);
            assert_eq!((error.attribute, error.found.as_str()), ("ts-refclk", text));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(ptp=|localmac=)?(IEEE1588-2008:)?[-:0-9A-Fa-f=a-z]{0,40}") {
            if let Ok(clock) = text.parse::<ReferenceClock>() {
                prop_assert_eq!(clock.to_string().parse(), Ok(clock));
            }
        }
    }
}

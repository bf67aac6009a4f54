//! Reference clocks and media clocks (RFC 7273, ST 2110-10 §8.2 and §8.3).

use std::fmt;

use super::SdpError;

/// A PTP clock, as `ts-refclk:ptp=` names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PtpClock {
    /// A grandmaster and its domain.
    Grandmaster {
        /// Its identity, an EUI-64.
        identity: [u8; 8],
        /// The PTP domain, 0 to 127; `None` where the description leaves it out.
        domain: Option<u8>,
    },
    /// A clock traceable to TAI, whichever.
    Traceable,
}

/// What a sender's clock follows: `a=ts-refclk`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReferenceClock {
    /// PTP of this version, such as `IEEE1588-2008`.
    Ptp {
        /// Version of IEEE 1588.
        version: String,
        /// The clock.
        clock: PtpClock,
    },
    /// The sender's own clock, by the address of its interface.
    LocalMac([u8; 6]),
    /// Another source of RFC 7273, as it is written: `ntp=…`, `gps`, `private`.
    Other(String),
}

impl ReferenceClock {
    /// Reads the value of `a=ts-refclk`.
    ///
    /// # Errors
    /// A PTP clock or an address that cannot be understood.
    pub fn parse(line: usize, value: &str) -> Result<Self, SdpError> {
        let value = value.trim();
        if let Some(ptp) = value.strip_prefix("ptp=") {
            return Self::parse_ptp(line, ptp);
        }
        if let Some(mac) = value.strip_prefix("localmac=") {
            let allowed = "six hexadecimal bytes such as 7C-E9-D3-1B-9A-AF";
            let bytes = hex_bytes(mac);
            return bytes
                .map(Self::LocalMac)
                .ok_or_else(|| SdpError::value(line, "ts-refclk:localmac", mac, allowed));
        }
        if value.is_empty() {
            return Err(SdpError::value(line, "ts-refclk", value, "ptp=, localmac=, ntp=, gps, …"));
        }
        Ok(Self::Other(value.to_owned()))
    }

    fn parse_ptp(line: usize, ptp: &str) -> Result<Self, SdpError> {
        let refuse = || {
            let allowed =
                "IEEE1588-2008:GRANDMASTER:DOMAIN with an EUI-64, or IEEE1588-2008:traceable";
            SdpError::value(line, "ts-refclk:ptp", ptp, allowed)
        };
        let mut parts = ptp.split(':');
        let version = parts.next().filter(|version| !version.is_empty()).ok_or_else(refuse)?;
        let clock = match (parts.next(), parts.next(), parts.next()) {
            (Some("traceable"), None, _) => PtpClock::Traceable,
            (Some(identity), domain, None) => PtpClock::Grandmaster {
                identity: hex_bytes(identity).ok_or_else(refuse)?,
                domain: domain
                    .map(|domain| {
                        // Some senders write "domain-nmbr=0", as RFC 7273 does for older versions.
                        let number = domain.strip_prefix("domain-nmbr=").unwrap_or(domain);
                        number.parse().ok().filter(|n| *n < 128).ok_or_else(refuse)
                    })
                    .transpose()?,
            },
            _ => return Err(refuse()),
        };
        Ok(Self::Ptp { version: version.to_owned(), clock })
    }
}

impl fmt::Display for ReferenceClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ptp { version, clock: PtpClock::Traceable } => {
                write!(f, "ptp={version}:traceable")
            }
            Self::Ptp { version, clock: PtpClock::Grandmaster { identity, domain } } => {
                write!(f, "ptp={version}:{}", Hex(identity))?;
                domain.map_or(Ok(()), |domain| write!(f, ":{domain}"))
            }
            Self::LocalMac(mac) => write!(f, "localmac={}", Hex(mac)),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// What RTP time stamps count: `a=mediaclk`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaClock {
    /// They follow the reference clock, with this offset.
    Direct(u32),
    /// They follow the sender.
    Sender,
    /// Another form, as it is written.
    Other(String),
}

impl MediaClock {
    /// Reads the value of `a=mediaclk`.
    ///
    /// # Errors
    /// An offset that is no number.
    pub fn parse(line: usize, value: &str) -> Result<Self, SdpError> {
        let value = value.trim();
        if value == "sender" {
            return Ok(Self::Sender);
        }
        let Some(offset) = value.strip_prefix("direct=") else {
            return Ok(Self::Other(value.to_owned()));
        };
        let offset = offset.parse().map_err(|_| {
            SdpError::value(line, "mediaclk:direct", offset, "a number of 32 bits, without a rate")
        });
        offset.map(Self::Direct)
    }
}

impl fmt::Display for MediaClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(offset) => write!(f, "direct={offset}"),
            Self::Sender => f.write_str("sender"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if n == 0 { "" } else { "-" })?;
        }
        Ok(())
    }
}

/// Bytes written as `7C-E9-D3`; also with colons, as some senders do.
fn hex_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut parts = text.split(['-', ':']);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_back() {
        for text in [
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:37",
            "ptp=IEEE1588-2019:39-A7-94-FF-FE-07-CB-D0",
            "ptp=IEEE1588-2008:traceable",
            "localmac=7C-E9-D3-1B-9A-AF",
            "ntp=/traceable/",
            "gps",
        ] {
            let clock = ReferenceClock::parse(1, text).unwrap();
            assert_eq!(clock.to_string(), text);
        }
        let domain = "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:domain-nmbr=5";
        let clock = ReferenceClock::parse(1, domain).unwrap();
        assert_eq!(clock.to_string(), "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:5");
        for text in ["direct=0", "direct=963214424", "sender", "direct"] {
            assert_eq!(MediaClock::parse(1, text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_clock_is_refused() {
        for text in [
            "",
            "ptp=",
            "ptp=IEEE1588-2008",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB:0",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:128",
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:0:1",
            "localmac=7C-E9-D3-1B-9A",
            "localmac=7C-E9-D3-1B-9A-XX",
        ] {
            assert_eq!(ReferenceClock::parse(9, text).unwrap_err().line, 9, "{text}");
        }
        assert!(MediaClock::parse(1, "direct=x").is_err());
    }
}

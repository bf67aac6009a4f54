//! Small values that several lines have.

use std::net::IpAddr;

use media::FrameRate;

use super::SdpError;

/// A number of type `T` in a line.
pub(super) fn number<T: std::str::FromStr>(
    line: usize,
    what: &str,
    text: &str,
    allowed: &'static str,
) -> Result<T, SdpError> {
    text.trim().parse().map_err(|_| SdpError::value(line, what, text, allowed))
}

/// An address after its type, `IN IP4` or `IN IP6`.
pub(super) fn address(line: usize, what: &str, kind: &str, text: &str) -> Result<IpAddr, SdpError> {
    let found = || format!("{kind} {text}");
    let address: IpAddr = text
        .parse()
        .map_err(|_| SdpError::value(line, what, text, "an IPv4 or IPv6 address is needed here"))?;
    match (kind, address) {
        ("IP4", IpAddr::V4(_)) | ("IP6", IpAddr::V6(_)) | ("*", _) => Ok(address),
        _ => Err(SdpError::value(line, what, &found(), "IP4 or IP6 with an address of its kind")),
    }
}

/// How an address is introduced.
#[must_use]
pub fn address_kind(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}

/// `exactframerate` as it must be written: a whole number, or a reduced fraction (ST 2110-20 §7.2).
pub(super) fn exact_rate(rate: FrameRate) -> String {
    rate.to_string()
}

/// A frame rate in whatever form.
pub(super) fn rate(line: usize, what: &str, text: &str) -> Result<FrameRate, SdpError> {
    let allowed = "a whole number, or a fraction such as 60000/1001";
    text.parse().map_err(|_| SdpError::value(line, what, text, allowed))
}

//! Timeouts as C programs write them.
use super::failure::Error;
use mcm::Timeout;
use std::ffi::c_int;
use std::time::Duration;

/// The timeout of the client configuration, `apiDefaultTimeoutMicroseconds` (1 s if it is not given).
pub const MESH_TIMEOUT_DEFAULT: c_int = -2;
/// Wait until the call succeeds, the connection is closed or the call is cancelled.
pub const MESH_TIMEOUT_INFINITE: c_int = -1;
/// Never block.
pub const MESH_TIMEOUT_ZERO: c_int = 0;

/// The meaning of a timeout in milliseconds. Negative values without a meaning are kept for later versions.
pub(super) fn timeout(ms: c_int) -> Result<Timeout, Error> {
    match ms {
        MESH_TIMEOUT_DEFAULT => Ok(Timeout::Default),
        MESH_TIMEOUT_INFINITE => Ok(Timeout::Infinite),
        _ => u64::try_from(ms).map(|ms| Timeout::After(Duration::from_millis(ms))).map_err(|_| {
            Error::NotImplemented(format!(
                "timeout_ms is {ms}; accepted are MESH_TIMEOUT_DEFAULT (-2), MESH_TIMEOUT_INFINITE (-1) \
                 and milliseconds from 0"
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_values_and_milliseconds() {
        assert_eq!(timeout(-2).unwrap(), Timeout::Default);
        assert_eq!(timeout(-1).unwrap(), Timeout::Infinite);
        assert_eq!(timeout(0).unwrap(), Timeout::After(Duration::ZERO));
        assert_eq!(
            timeout(c_int::MAX).unwrap(),
            Timeout::After(Duration::from_millis(2_147_483_647))
        );
    }

    #[test]
    fn other_negative_values_are_refused_by_name() {
        for ms in [-3, c_int::MIN] {
            let error = timeout(ms).unwrap_err();
            assert_eq!(error.code(), 1013);
            assert!(error.to_string().contains(&ms.to_string()), "{error}");
        }
    }
}

//! Checks of a program's own certificate, which its peers would refuse without a word to it.

use crate::error::AccessError;
use crate::tls::{TlsFiles, certificates, failed};
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Version;

impl TlsFiles {
    /// Checks that all certificates of the program's chain are valid now.
    ///
    /// # Errors
    /// The option, the file, and when a certificate begins or ceases to be valid.
    pub fn check_validity(&self) -> Result<(), AccessError> {
        let failed = failed("--tls-cert", &self.cert);
        let chain = certificates(&self.cert).map_err(&failed)?;
        check_chain(&chain, |certificate| check_time(certificate, ASN1Time::now())).map_err(failed)
    }
}

/// Checks that TLS peers can read all certificates of a chain.
pub(crate) fn check_versions(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    check_chain(chain, |certificate| match certificate.version {
        X509Version::V3 => Ok(()),
        found => Err(format!(
            "X.509 version {}, accepted is version 3: sign it with extensions, such as \
             subjectAltName",
            found.0 + 1
        )),
    })
}

fn check_chain(
    chain: &[CertificateDer<'_>],
    check: impl Fn(&X509Certificate<'_>) -> Result<(), String>,
) -> Result<(), String> {
    for (index, der) in chain.iter().enumerate() {
        let read = X509Certificate::from_der(der).map_err(|error| error.to_string());
        let checked = read.and_then(|(_, certificate)| check(&certificate));
        checked.map_err(|reason| match chain.len() {
            1 => reason,
            count => format!("certificate {} of {count}: {reason}", index + 1),
        })?;
    }
    Ok(())
}

fn check_time(certificate: &X509Certificate<'_>, now: ASN1Time) -> Result<(), String> {
    let validity = certificate.validity();
    let fault = if now < validity.not_before {
        format!("valid not before {}", date(validity.not_before))
    } else if now > validity.not_after {
        format!("valid not after {}", date(validity.not_after))
    } else {
        return Ok(());
    };
    Err(format!("{fault}, and it is {}; accepted is a certificate that is valid now", date(now)))
}

fn date(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (day, clock) = (time.date(), time.time());
    let (hour, minute, second) = clock.as_hms();
    format!("{day} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;

    /// Of `openssl x509 -req -signkey` without extensions.
    const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIHWMIGJAhR53+wYWSsHnBsT8NbUZfNcCBqHUDAFBgMrZXAwDTELMAkGA1UEAwwC
djEwIBcNMjYxMTI4MTc1MTEwWhgPMzAyNjAzMzExNzUxMTBaMA0xCzAJBgNVBAMM
AnYxMCowBQYDK2VwAyEAuVzY1YOkaAN2LcTRhci5JmxVJfeNR9GR5vm7YppwLM4w
BQYDK2VwA0EANJPQOhwcqw1CJh/jNL6VRZ/D9c5tE0I5Bl+ttvdlKjdaYH6EBuXS
9tOPl1tV/nzCqIqeZfAEAR6glbuD4ok7CQ==
-----END CERTIFICATE-----
";

    fn of_2020() -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        params.self_signed(&key).unwrap().der().clone()
    }

    fn at(seconds: i64) -> ASN1Time {
        ASN1Time::from_timestamp(seconds).unwrap()
    }

    #[test]
    fn a_certificate_out_of_its_time_is_named_with_the_dates() {
        let chain = [of_2020()];
        let check = |now| check_chain(&chain, |certificate| check_time(certificate, at(now)));
        assert_eq!(check(1_590_000_000), Ok(()));
        assert_eq!(
            check(1_700_000_000).unwrap_err(),
            "valid not after 2021-01-01 00:00:00 UTC, and it is 2023-11-14 22:13:20 UTC; \
             accepted is a certificate that is valid now"
        );
        assert!(check(0).unwrap_err().starts_with("valid not before 2020-01-01 00:00:00 UTC, "));
        assert!(
            check_time(&X509Certificate::from_der(&chain[0]).unwrap().1, ASN1Time::now()).is_err()
        );
    }

    #[test]
    fn version_1_is_refused_wherever_it_is_in_the_chain() {
        let v1 = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
        let v3 = of_2020();
        assert_eq!(check_versions(std::slice::from_ref(&v3)), Ok(()));
        let alone = check_versions(std::slice::from_ref(&v1)).unwrap_err();
        assert!(alone.starts_with("X.509 version 1, accepted is version 3"), "{alone}");
        let second = check_versions(&[v3, v1]).unwrap_err();
        assert!(second.starts_with("certificate 2 of 2: X.509 version 1"), "{second}");
    }
}

//! A certificate authority for tests.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The authority. Its files go with it.
#[derive(Debug)]
pub struct Authority {
    dir: TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

/// Where a program's credentials are, as PEM.
#[derive(Debug)]
pub struct Credentials {
    /// Its certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// If there cannot be one.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it has an effect on the file system")]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        write(&dir.path().join("ca.pem"), &certificate.pem());
        Self { dir, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Its own certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// New credentials for a program at an address.
    ///
    /// # Panics
    /// If there cannot be any.
    #[must_use]
    pub fn files(&self, name: &str, address: &str) -> Credentials {
        self.files_until(name, address, 3000)
    }

    /// New credentials for a program at an address, valid until the beginning of a year.
    ///
    /// # Panics
    /// If there cannot be any.
    #[must_use]
    pub fn files_until(&self, name: &str, address: &str, year: i32) -> Credentials {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![address.to_owned()]);
        let mut params = params.expect("an address");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer);
        let path = |suffix: &str| self.dir.path().join(format!("{name}.{suffix}"));
        let files = Credentials { cert: path("pem"), key: path("key") };
        write(&files.cert, &certificate.expect("a certificate").pem());
        write(&files.key, &key.serialize_pem());
        files
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file");
}

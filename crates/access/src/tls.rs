//! Mutual TLS: the program shows a certificate, and so must the caller.

use crate::error::AccessError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Where credentials are, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The program's certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of the authorities that sign those of callers.
    pub ca: PathBuf,
}

/// Reads the credentials of a server for these protocols (ALPN).
///
/// # Errors
/// The option, the file and what is wrong with it.
pub fn acceptor(files: &TlsFiles, protocols: &[&[u8]]) -> Result<TlsAcceptor, AccessError> {
    let failed = |option, path: &Path| {
        let path = path.to_owned();
        move |reason: String| AccessError { option, path, reason }
    };
    let chain = certificates(&files.cert).map_err(failed("--tls-cert", &files.cert))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| failed("--tls-key", &files.key)(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for root in certificates(&files.ca).map_err(failed("--tls-ca", &files.ca))? {
        roots.add(root).map_err(|error| failed("--tls-ca", &files.ca)(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| failed("--tls-ca", &files.ca)(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)
        })
        .map_err(|error| failed("--tls-cert", &files.cert)(error.to_string()))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("no certificate in it".into());
    }
    Ok(certificates)
}

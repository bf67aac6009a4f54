//! Mutual TLS: the proxy shows a certificate, and so must the caller.

use crate::args::TlsFiles;
use crate::error::ProxyError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Reads the credentials.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ProxyError> {
    let failed = |option, path: &Path| {
        let path = path.to_owned();
        move |reason: String| ProxyError::Credentials { option, path, reason }
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
    config.alpn_protocols = vec![b"h2".to_vec()];
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

//! Mutual TLS: both the daemon and its callers present a certificate.

use crate::arguments::absolute_path;
use crate::certificate::check_versions;
use crate::error::AccessError;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Credential files: the options `--tls-cert`, `--tls-key` and `--tls-ca`, which go together.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[group(id = "tls", requires_all = ["tls-cert", "tls-key", "tls-ca"])]
pub struct TlsFiles {
    /// Certificate chain of this program, PEM. With the next two: mutual TLS
    #[arg(id = "tls-cert", long, value_name = "FILE", required = false)]
    #[arg(value_parser = absolute_path(), help_heading = "Certificates")]
    pub cert: PathBuf,
    /// Private key of this program, PEM
    #[arg(id = "tls-key", long, value_name = "FILE", required = false)]
    #[arg(value_parser = absolute_path(), help_heading = "Certificates")]
    pub key: PathBuf,
    /// Certificates of the authorities that sign those of the other side, PEM
    #[arg(id = "tls-ca", long, value_name = "FILE", required = false)]
    #[arg(value_parser = absolute_path(), help_heading = "Certificates")]
    pub ca: PathBuf,
}

/// Contents of the files.
struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Credentials {
    fn read(files: &TlsFiles) -> Result<Self, AccessError> {
        let chain = certificates(&files.cert).map_err(failed("--tls-cert", &files.cert))?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| failed("--tls-key", &files.key)(error.to_string()))?;
        check_versions(&chain).map_err(failed("--tls-cert", &files.cert))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&files.ca).map_err(failed("--tls-ca", &files.ca))? {
            roots.add(root).map_err(|error| failed("--tls-ca", &files.ca)(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self { chain, key, roots: Arc::new(roots), provider })
    }
}

pub(crate) fn failed(option: &'static str, path: &Path) -> impl Fn(String) -> AccessError {
    move |reason| AccessError { option, path: path.to_owned(), reason }
}

/// Reads the credentials of a server for these protocols (ALPN).
///
/// # Errors
/// The option, the file and what is wrong with it.
pub fn acceptor(files: &TlsFiles, protocols: &[&[u8]]) -> Result<TlsAcceptor, AccessError> {
    let Credentials { chain, key, roots, provider } = Credentials::read(files)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
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

/// Reads the credentials of a program that calls a server of one of these protocols (ALPN).
///
/// # Errors
/// The option, the file and what is wrong with it.
pub fn connector(files: &TlsFiles, protocols: &[&[u8]]) -> Result<TlsConnector, AccessError> {
    let Credentials { chain, key, roots, provider } = Credentials::read(files)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
        .map_err(|error| failed("--tls-cert", &files.cert)(error.to_string()))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsConnector::from(Arc::new(config)))
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("no certificate in it".into());
    }
    Ok(certificates)
}

//! TLS by rustls, verification always on. Certificates are read when a handler is made, which
//! fails over bad ones, and again for each connection: they are replaced while programs run.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::time::timeout;

use crate::process::thread::on_thread;

/// How long reading may take; after that the certificates that were read before are used.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The paths that a user gave.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Certificates of the authorities to trust; the system's own if absent.
    pub ca: Option<PathBuf>,
    /// Certificate chain and private key of the client: both or none.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// TLS with one broker.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    /// The name that the broker's certificate must have; that of the host if absent.
    server_name: Option<String>,
    /// From when the files could last be read.
    last: Arc<Mutex<Arc<RustlsConnector>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A sentence that names the file, or the server name, and what is wrong with it.
    pub fn new(files: TlsFiles, server_name: Option<String>) -> Result<Self, String> {
        if let Some(name) = &server_name {
            ServerName::try_from(name.as_str())
                .map_err(|_| format!("server_hostname {name:?} is no host name"))?;
        }
        let last = Arc::new(Mutex::new(Arc::new(read_connector(&files)?)));
        Ok(Self { files, server_name, last })
    }

    pub(super) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// What makes connections, from the files as they are now. If they cannot be read, as in the
    /// middle of being replaced, it is the last one, and the text says why.
    pub(super) async fn connector(&self) -> (Arc<RustlsConnector>, Option<String>) {
        let files = self.files.clone();
        let read = timeout(READ_TIMEOUT, on_thread("phanos-tls", move || read_connector(&files)));
        let complaint = match read.await {
            Ok(Ok(Ok(connector))) => {
                let connector = Arc::new(connector);
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&connector);
                return (connector, None);
            }
            Ok(Ok(Err(text))) => text,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("reading certificates took longer than {READ_TIMEOUT:?}"),
        };
        let last = Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner));
        (last, Some(format!("with the certificates as they were read before: {complaint}")))
    }
}

fn read_connector(files: &TlsFiles) -> Result<RustlsConnector, String> {
    let config = match &files.ca {
        None => RustlsConnectorConfig::new_with_native_certs()
            .map_err(|error| format!("the system's certificates cannot be read: {error}"))?,
        Some(path) => {
            let mut config = RustlsConnectorConfig::default();
            let given = certificates("ca_file", path)?;
            if given.is_empty() {
                return Err(format!("ca_file {}: no certificate in it", path.display()));
            }
            config.add_parsable_certificates(given);
            config
        }
    };
    let connector = match (&files.certificate, &files.key) {
        (None, None) => config.connector_with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates("cert_file", certificate)?;
            if chain.is_empty() {
                return Err(format!("cert_file {}: no certificate", certificate.display()));
            }
            config.connector_with_single_cert(chain, private_key(key)?)
        }
        _ => return Err("cert_file and key_file are given together or not at all".into()),
    };
    connector.map_err(|error| format!("certificates refused: {error}"))
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{name} {} cannot be read: {error}", path.display()))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(&read(name, path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{name} {} is no PEM file: {error}", path.display()))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read("key_file", path)?)
        .map_err(|error| format!("key_file {} holds no private key: {error}", path.display()))
}

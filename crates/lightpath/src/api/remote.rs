//! The daemon of another host: by HTTPS, with its token.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail, ensure};
use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The port of HTTPS.
const HTTPS: u16 = 443;

/// Where the API of a daemon is, as in `https://192.0.2.1:9801`.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    host: String,
    port: u16,
}

/// How a daemon of another host is asked.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// Where it is.
    pub(crate) url: Url,
    /// The file of its token.
    pub(crate) token_file: PathBuf,
    /// The authorities that may have signed its certificate, unless those are this host's.
    pub(crate) ca: Option<PathBuf>,
}

impl FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let url: Uri = text.parse()?;
        ensure!(
            url.scheme_str() == Some("https") && matches!(url.path(), "" | "/") && url.query().is_none(),
            "write https://HOST:PORT"
        );
        let host = url.host().context("write https://HOST:PORT")?;
        Ok(Self { host: host.to_owned(), port: url.port_u16().unwrap_or(HTTPS) })
    }
}

impl Remote {
    /// What requests say of where they go.
    pub(super) fn host(&self) -> Result<HeaderValue> {
        Ok(HeaderValue::from_str(&format!("{}:{}", self.url.host, self.url.port))?)
    }

    /// What requests say of who sends them.
    pub(super) fn authorization(&self) -> Result<HeaderValue> {
        let file = self.token_file.display();
        let token = fs::read_to_string(&self.token_file)
            .with_context(|| format!("cannot read the token in {file}"))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .with_context(|| format!("{file} holds no token"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    pub(super) async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let Url { host, port } = &self.url;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let at = || format!("cannot connect to {host} port {port}");
        let connector = connector(self.ca.as_deref())?;
        let stream = TcpStream::connect((name, *port)).await.with_context(at)?;
        let server = ServerName::try_from(name.to_owned()).with_context(at)?;
        connector.connect(server, stream).await.with_context(at)
    }
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let wrong = || format!("{} holds no authorities in PEM", file.display());
            for certificate in CertificateDer::pem_file_iter(file).with_context(wrong)? {
                roots.add(certificate.with_context(wrong)?).with_context(wrong)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        bail!(
            "nobody is trusted to have signed the daemon's certificate; name a file of authorities with --ca"
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

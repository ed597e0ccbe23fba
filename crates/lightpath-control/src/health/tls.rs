//! TLS for HTTPS and gRPC: who may have signed a backend's certificate, and for which name it must be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::cause::Cause;
use super::peer::Peer;
use crate::model::{Tls, Trust};

/// Why certificates could not be checked as the configuration asks.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of authorities cannot be read, or is not in PEM.
    #[error("cannot read the authorities in {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no authority.
    #[error("{} holds no certificate of an authority; write one in PEM into it", .0.display())]
    Empty(PathBuf),
    /// This host trusts nobody.
    #[error(
        "this host trusts no authority; install ca-certificates, or write ca = \"/a/file\" for the check"
    )]
    NoneTrusted,
    /// The library refuses what it is asked for.
    #[error("TLS cannot be used: {0}")]
    Library(#[from] rustls::Error),
}

/// What makes connections, by who must have signed for the other end: services mostly trust the same.
#[derive(Default)]
pub(super) struct Connectors(BTreeMap<(Trust, Speaks), TlsConnector>);

/// What is spoken over TLS, as the other end is told (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Speaks {
    /// Nothing is told: servers that know nothing of it speak this.
    Http1,
    /// Servers that speak both have to know (RFC 9113, section 3.2).
    Http2,
}

impl Connectors {
    pub(super) fn of(&mut self, trust: &Trust, speaks: Speaks) -> Result<TlsConnector, TlsError> {
        let key = (trust.clone(), speaks);
        if let Some(known) = self.0.get(&key) {
            return Ok(known.clone());
        }
        let made = connector(trust, speaks)?;
        self.0.insert(key, made.clone());
        Ok(made)
    }
}

fn connector(trust: &Trust, speaks: Speaks) -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let mut config = match trust {
        Trust::Anybody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        Trust::Host => builder.with_root_certificates(of_host()?),
        Trust::File(file) => builder.with_root_certificates(of_file(file)?),
    }
    .with_no_client_auth();
    // A resumed session would not show its certificate again, which may have run out.
    config.resumption = Resumption::disabled();
    if speaks == Speaks::Http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(TlsConnector::from(Arc::new(config)))
}

fn of_host() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Some file of a host's may be broken without harm to the others.
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added > 0 { Ok(roots) } else { Err(TlsError::NoneTrusted) }
}

fn of_file(file: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |source| TlsError::Unreadable { file: file.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?)?;
    }
    if roots.is_empty() { Err(TlsError::Empty(file.to_owned())) } else { Ok(roots) }
}

/// Makes a TLS connection of a TCP connection.
pub(super) async fn encrypt(
    connector: &TlsConnector,
    tls: &Tls,
    host: Option<&str>,
    to: &Peer,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Cause> {
    let name = server_name(tls, host, to);
    connector.connect(name, stream).await.map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(refused) => Cause::Tls(refused.to_string()),
            None => error.into(),
        }
    })
}

/// The name that the certificate must be for: that of the configuration, or the request's host, or the address.
fn server_name(tls: &Tls, host: Option<&str>, to: &Peer) -> ServerName<'static> {
    let host = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    });
    let host = host.map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let name = tls.server_name.as_deref().or(host);
    name.and_then(|name| ServerName::try_from(name.to_owned()).ok()).unwrap_or_else(|| to.address.ip().into())
}

/// Takes every certificate, and still wants the handshake signed with it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

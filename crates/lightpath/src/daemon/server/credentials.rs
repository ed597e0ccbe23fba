//! How the API on an address proves who it is, and asks who wants something: a certificate and a token, from files.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use lightpath_control::model::Api;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use subtle::ConstantTimeEq;
use tokio_rustls::TlsAcceptor;

/// Characters of a token that cannot be guessed: 128 bits in hex.
const SHORTEST_TOKEN: usize = 32;
/// More than any token has.
const LARGEST_FILE: u64 = 4096;

/// What is in the files.
pub(super) struct Credentials {
    pub(super) acceptor: TlsAcceptor,
    token: Vec<u8>,
}

impl Credentials {
    /// Reads the files, which must be right before anything is served by them.
    pub(super) fn read(api: &Api) -> Result<Self> {
        let token =
            token(&api.token_file).with_context(|| format!("token_file {}", api.token_file.display()))?;
        let acceptor = acceptor(&api.certificate, &api.key)?;
        Ok(Self { acceptor, token })
    }

    /// Whether this is the token. How long that takes to say tells nothing of it but its length.
    pub(super) fn are(&self, token: &[u8]) -> bool {
        self.token.ct_eq(token).into()
    }
}

fn token(path: &Path) -> Result<Vec<u8>> {
    let mut text = String::new();
    private(path)?.take(LARGEST_FILE).read_to_string(&mut text)?;
    let token = text.trim();
    ensure!(
        token.len() >= SHORTEST_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "it holds no token of {SHORTEST_TOKEN} printable characters or more on one line; write one: (umask 077; openssl rand -hex 32 > {})",
        path.display()
    );
    Ok(token.as_bytes().to_vec())
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let wrong = |path: &Path| format!("{} is no file in PEM as it is needed", path.display());
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).with_context(|| wrong(certificate))?.collect();
    let chain = chain.with_context(|| wrong(certificate))?;
    ensure!(!chain.is_empty(), "{} holds no certificate", certificate.display());
    let mut pem = Vec::new();
    private(key).with_context(|| format!("key {}", key.display()))?.read_to_end(&mut pem)?;
    let private_key = PrivateKeyDer::from_pem_slice(&pem).with_context(|| wrong(key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .with_context(|| format!("{} and {} do not fit", certificate.display(), key.display()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A file that only its owner can read, who is the one that this process runs as, or root.
fn private(path: &Path) -> Result<File> {
    let file = File::open(path)?;
    // Of what was opened, whatever has the name by now.
    let about = file.metadata()?;
    ensure!(about.is_file(), "it is no file");
    let own = fs::metadata("/proc/self").map_or(0, |own| own.uid());
    if about.mode() & 0o077 != 0 || ![0, own].contains(&about.uid()) {
        bail!(
            "others than its owner can read or write it; run: chown root {path} && chmod 600 {path}, and have a new one made if it was secret",
            path = path.display()
        );
    }
    Ok(file)
}

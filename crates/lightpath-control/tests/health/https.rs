//! HTTPS: whose certificates are taken, and for which names.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use lightpath_control::health::{Targets, Ways};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::servers::{self, head, response};
use super::{config, words};

/// A server whose certificate is for these names.
struct Secure {
    address: SocketAddr,
    /// The certificate, in PEM, in a file of its own.
    ca: tempfile::NamedTempFile,
    /// Names that clients asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

fn serve(names: &[&str]) -> Secure {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    fs::write(ca.path(), cert.pem()).unwrap();
    let server = server_config(cert.der().clone(), &signing_key);
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let address = servers::tcp({
        let asked = Arc::clone(&asked);
        move |connection| {
            let session = ServerConnection::new(Arc::clone(&server)).unwrap();
            let mut stream = StreamOwned::new(session, connection);
            head(&mut stream);
            asked.lock().unwrap().extend(stream.conn.server_name().map(ToString::to_string));
            let _ = stream.write_all(&response(200, "fine"));
        }
    });
    Secure { address, ca, asked }
}

pub(super) fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

const HTTPS: &str = "type = \"https\"";

#[test]
fn a_certificate_must_be_for_the_name_and_from_the_authority() {
    let server = serve(&["www.example.com", "127.0.0.1"]);
    let ca = format!("ca = {:?}", server.ca.path());
    let to = server.address;
    assert_eq!(words(&[HTTPS, &ca, "body = \"fine\""], to), "", "its address is in the certificate");
    assert_eq!(words(&[HTTPS, &ca, "host = \"www.example.com:8443\""], to), "");
    assert_eq!(words(&[HTTPS, &ca, "server_name = \"www.example.com\"", "host = \"other\""], to), "");
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        ["www.example.com", "www.example.com"],
        "an address is not asked for (RFC 6066, section 3)"
    );

    let other = words(&[HTTPS, &ca, "server_name = \"example.org\""], to);
    assert!(other.starts_with("TLS: ") && other.contains("example.org"), "{other}");
    let other = serve(&["www.example.com"]);
    let stranger = format!("ca = {:?}", other.ca.path());
    let unknown = words(&[HTTPS, &stranger, "host = \"www.example.com\""], to);
    assert!(unknown.starts_with("TLS: ") && unknown.contains("certificate"), "{unknown}");
}

#[test]
fn only_an_explicit_wish_takes_any_certificate() {
    let server = serve(&["www.example.com"]);
    assert_eq!(words(&[HTTPS, "verify = false", "server_name = \"example.org\""], server.address), "");
}

#[test]
fn what_is_no_tls_is_named() {
    let plain = servers::http(|_| response(200, ""));
    let words_of = |to| words(&[HTTPS, "verify = false", "timeout = \"500ms\""], to);
    let said = words_of(plain);
    assert!(said.starts_with("TLS: ") || said.starts_with("timed out"), "{said}");
    let silent = servers::tcp(|connection| {
        std::thread::sleep(std::time::Duration::from_mins(1));
        drop(connection);
    });
    assert_eq!(words_of(silent), "timed out after 500 ms");
}

#[test]
fn an_authority_that_cannot_be_read_is_refused_before_anything_is_checked() {
    let refused = |path: &str| {
        let config = config(&[HTTPS, &format!("ca = {path:?}")], &[super::loopback(1)]);
        Targets::of(&config, &Ways::default()).unwrap_err().to_string()
    };
    let missing = refused("/nowhere/ca.pem");
    assert!(
        missing.starts_with("service web: health: cannot read the authorities in /nowhere/ca.pem: "),
        "{missing}"
    );
    let empty = tempfile::NamedTempFile::new().unwrap();
    let path = empty.path().to_str().unwrap();
    assert_eq!(
        refused(path),
        format!("service web: health: {path} holds no certificate of an authority; write one in PEM into it")
    );
}

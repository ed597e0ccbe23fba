//! Both ends of QUIC connections: quinn, whose connection IDs lead back to the server that chose them.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use lightpath_lab::Namespace;
use lightpath_lab::topology::{Host, plan};
use quinn::rustls::RootCertStore;
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quinn::{ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, ServerConfig, TokioRuntime};
use rcgen::CertifiedKey;
use tokio::time::timeout;

use crate::common::{Family, PATIENCE};

/// The name in the servers' certificate.
const NAME: &str = "lightpath.example";

/// What the servers prove who they are with.
pub(super) struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new() -> Self {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.into()]).unwrap();
        Self { certificate: cert.into(), key: signing_key.into() }
    }

    /// Serves in a namespace until the runtime ends: what is said on a stream is answered with the server's name and where the
    /// client is.
    pub(super) fn serve(&self, backend: &Namespace, address: SocketAddr, server_id: ServerId) {
        let mut config = EndpointConfig::default();
        config.cid_generator(move || Box::new(server_id));
        let certificates = vec![self.certificate.clone()];
        let server = ServerConfig::with_single_cert(certificates, self.key.clone_key()).unwrap();
        let endpoint = endpoint(config, Some(server), socket(backend, address));
        let name = backend.name().to_owned();
        tokio::spawn(async move {
            while let Some(client) = endpoint.accept().await {
                let name = name.clone();
                tokio::spawn(async move { answer(&client.await.unwrap(), &name).await });
            }
        });
    }

    /// Opens a connection from one of the client's further addresses.
    pub(super) async fn connect(&self, client: &Host, from: u8, to: SocketAddr) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut endpoint =
            endpoint(EndpointConfig::default(), None, Connection::socket(client, from, to.ip()));
        endpoint.set_default_client_config(ClientConfig::with_root_certificates(Arc::new(roots)).unwrap());
        let connecting = endpoint.connect(to, NAME).unwrap();
        let inner = timeout(PATIENCE, connecting).await.expect("it opens").unwrap();
        Connection { client: client.clone(), endpoint, inner }
    }
}

/// A client's end of a connection.
pub(super) struct Connection {
    client: Host,
    endpoint: quinn::Endpoint,
    inner: quinn::Connection,
}

impl Connection {
    /// Goes on from another address and port of the client's, as behind a NAT that has forgotten the one before (RFC 9000, 9.3).
    pub(super) fn move_to(&self, host: u8) {
        let socket = Self::socket(&self.client, host, self.inner.remote_address().ip());
        self.endpoint.rebind(socket).unwrap();
    }

    /// The server's name, and the address that it sees.
    pub(super) async fn ask(&self) -> (String, SocketAddr) {
        let exchange = async {
            let (mut sender, mut receiver) = self.inner.open_bi().await?;
            sender.write_all(b"who is it").await?;
            sender.finish()?;
            receiver.read_to_end(100).await.map_err(io::Error::other)
        };
        let answer = timeout(PATIENCE, exchange).await.expect("it answers").unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (name, seen) = answer.split_once(' ').unwrap();
        (name.to_owned(), seen.parse().unwrap())
    }

    /// Where the client's end is now.
    pub(super) fn local_address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    fn socket(client: &Host, host: u8, to: IpAddr) -> UdpSocket {
        let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
        socket(&client.ns, SocketAddr::new(family.of(plan::CLIENTS.host(host)), 0))
    }
}

async fn answer(client: &quinn::Connection, name: &str) {
    while let Ok((mut sender, mut receiver)) = client.accept_bi().await {
        receiver.read_to_end(100).await.unwrap();
        sender.write_all(format!("{name} {}", client.remote_address()).as_bytes()).await.unwrap();
        sender.finish().unwrap();
    }
}

fn socket(namespace: &Namespace, address: SocketAddr) -> UdpSocket {
    namespace.run(|| UdpSocket::bind(address).unwrap()).unwrap()
}

fn endpoint(config: EndpointConfig, server: Option<ServerConfig>, socket: UdpSocket) -> quinn::Endpoint {
    quinn::Endpoint::new(config, server, socket, Arc::new(TokioRuntime)).unwrap()
}

/// What connection IDs of a server have in plain text (draft-ietf-quic-load-balancers-21, 3 and 5.2).
#[derive(Clone, Copy)]
pub(super) struct ServerId {
    pub(super) config_id: u8,
    pub(super) server_id: [u8; 2],
}

impl ServerId {
    const NONCE_LENGTH: usize = 5;
}

impl ConnectionIdGenerator for ServerId {
    fn generate_cid(&mut self) -> ConnectionId {
        let nonce: [u8; 1 + Self::NONCE_LENGTH] = std::array::from_fn(|_| fastrand::u8(..));
        let first = self.config_id << 5 | nonce[0] & 0x1f;
        ConnectionId::new(&[&[first], &self.server_id[..], &nonce[1..]].concat())
    }

    fn cid_len(&self) -> usize {
        1 + self.server_id.len() + Self::NONCE_LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

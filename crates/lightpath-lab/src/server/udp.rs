//! A UDP server that says who it is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;

use crate::error::Error;
use crate::namespace::Namespace;
use crate::server::Worker;

/// A running UDP server; dropping it stops it.
#[derive(Debug)]
pub struct UdpServer {
    address: SocketAddr,
    datagrams: Arc<AtomicU64>,
    _worker: Worker,
}

impl UdpServer {
    /// The address it is bound to; the port is real where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Datagrams answered so far.
    #[must_use]
    pub fn datagrams(&self) -> u64 {
        self.datagrams.load(Ordering::Relaxed)
    }
}

/// Answers every datagram to `address` inside `namespace` with `name`, a space and what was received.
///
/// Bind it to the very address that clients use (with `dsr` and tunnels the VIP): from a wildcard address the kernel would
/// answer with the address of the outgoing link.
pub fn serve_udp_echo(namespace: &Namespace, address: SocketAddr, name: &str) -> Result<UdpServer, Error> {
    let datagrams = Arc::new(AtomicU64::new(0));
    let bind = async move || {
        let socket = UdpSocket::bind(address).await?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    let (worker, address) = Worker::start(namespace, name, address, bind, {
        let prefix = format!("{name} ").into_bytes();
        let datagrams = Arc::clone(&datagrams);
        async move |socket| echo(socket, &prefix, &datagrams).await
    })?;
    Ok(UdpServer { address, datagrams, _worker: worker })
}

async fn echo(socket: UdpSocket, prefix: &[u8], datagrams: &AtomicU64) {
    let mut received = vec![0; usize::from(u16::MAX)];
    let mut reply = Vec::new();
    loop {
        // Errors here are ICMP's, about an earlier reply (a client that has left); the next datagram is unaffected.
        if let Ok((length, peer)) = socket.recv_from(&mut received).await {
            reply.clear();
            reply.extend_from_slice(prefix);
            reply.extend_from_slice(&received[..length]);
            let sent: io::Result<usize> = socket.send_to(&reply, peer).await;
            if sent.is_ok() {
                datagrams.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

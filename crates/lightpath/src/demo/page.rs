//! The status page of the demonstration, brought out of the balancer's network: a browser is in no namespace.

use std::io::{self, copy};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};
use lightpath_lab::Namespace;

/// Where the daemon serves it, in its own network.
pub(super) const INSIDE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9800);
/// Where it is for this host's browsers, if nobody else is there.
const OUTSIDE: u16 = 9802;

/// Passes connections on to the balancer until the process ends; where from.
pub(super) fn bring_out(balancer: &Namespace) -> Result<SocketAddr> {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listen(OUTSIDE).or_else(|_| listen(0)).context("no port for the status page")?;
    let address = listener.local_addr()?;
    let balancer = balancer.clone();
    thread::Builder::new().name("page".to_owned()).spawn(move || {
        for client in listener.incoming().flatten() {
            let balancer = balancer.clone();
            // Whoever is cut off tries again.
            thread::spawn(move || pass_on(client, &balancer));
        }
    })?;
    Ok(address)
}

fn pass_on(client: TcpStream, balancer: &Namespace) -> io::Result<()> {
    let daemon = balancer.run(|| TcpStream::connect(INSIDE)).map_err(io::Error::other)??;
    let (mut from_client, mut to_daemon) = (client.try_clone()?, daemon.try_clone()?);
    thread::spawn(move || {
        let passed = copy(&mut from_client, &mut to_daemon);
        to_daemon.shutdown(Shutdown::Write).and(passed)
    });
    let (mut from_daemon, mut to_client) = (daemon, client);
    copy(&mut from_daemon, &mut to_client)?;
    to_client.shutdown(Shutdown::Both)
}

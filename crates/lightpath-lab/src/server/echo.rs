//! Servers that cost as little as a server can: what they receive they send back, in one thread with epoll.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::error::Error;
use crate::namespace::Namespace;

/// What an echo server does after it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAnswer {
    /// Keeps the connection for the next question.
    Keep,
    /// Closes it. The server then keeps the TIME-WAIT, so that clients' ports do not run out.
    Close,
}

/// A running echo server; dropping it stops it.
#[derive(Debug)]
pub struct EchoServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<io::Result<()>>>>,
}

/// How long a server takes to notice that it is to stop.
const NOTICE_MS: u8 = 50;
/// The most that is received at a time.
const BUFFER: usize = 4096;
/// Events that are taken at a time.
const EVENTS: usize = 256;

/// Answers on every TCP connection to `address` inside `namespace`.
pub fn serve_tcp_echo(
    namespace: &Namespace,
    address: SocketAddr,
    after: AfterAnswer,
) -> Result<EchoServer, Error> {
    let listener = namespace
        .run(|| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })?
        .map_err(|error| namespace.error(format!("serve TCP on {address}"), error))?;
    EchoServer::start(namespace, move |stop| tcp(&listener, after, stop))
}

/// Answers every datagram to `address` inside `namespace`.
pub fn serve_plain_udp_echo(namespace: &Namespace, address: SocketAddr) -> Result<EchoServer, Error> {
    let socket = namespace
        .run(|| {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })?
        .map_err(|error| namespace.error(format!("serve UDP on {address}"), error))?;
    EchoServer::start(namespace, move |stop| udp(&socket, stop))
}

impl EchoServer {
    fn start(
        namespace: &Namespace,
        serve: impl FnOnce(&AtomicBool) -> io::Result<()> + Send + 'static,
    ) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = namespace.spawn("echo", move || serve(&told))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed by the panic hook; a drop must not add a second one.
            let _ = thread.join();
        }
    }
}

/// Number of the listener among what is waited for; connections are numbered from 1.
const LISTENER: u64 = 0;

fn tcp(listener: &TcpListener, after: AfterAnswer, stop: &AtomicBool) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut connections = BTreeMap::new();
    let mut next = LISTENER + 1;
    let mut events = [EpollEvent::empty(); EVENTS];
    while !stop.load(Ordering::Relaxed) {
        let ready = wait(&epoll, &mut events)?;
        for number in events.iter().take(ready).map(EpollEvent::data) {
            if number == LISTENER {
                while let Some(connection) = accept(listener)? {
                    epoll.add(&connection, EpollEvent::new(EpollFlags::EPOLLIN, next))?;
                    connections.insert(next, connection);
                    next += 1;
                }
            } else if let Some(connection) = connections.get_mut(&number) {
                let goes_on = answer(connection).unwrap_or(false);
                if !goes_on || after == AfterAnswer::Close {
                    connections.remove(&number);
                }
            }
        }
    }
    Ok(())
}

/// A client that has waited for it, if any.
fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((connection, _)) => {
            connection.set_nonblocking(true)?;
            connection.set_nodelay(true)?;
            Ok(Some(connection))
        }
        // The client has gone meanwhile, or there is none.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sends back what has come; whether the client is still there.
fn answer(connection: &mut TcpStream) -> io::Result<bool> {
    let mut buffer = [0; BUFFER];
    match connection.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(length) => connection.write_all(&buffer[..length]).map(|()| true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

fn udp(socket: &UdpSocket, stop: &AtomicBool) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(socket.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    let mut events = [EpollEvent::empty(); 1];
    let mut buffer = [0; BUFFER];
    while !stop.load(Ordering::Relaxed) {
        wait(&epoll, &mut events)?;
        // Errors here are about an earlier answer, or say that there is nothing more.
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
    Ok(())
}

/// How many things are ready.
fn wait(epoll: &Epoll, events: &mut [EpollEvent]) -> io::Result<usize> {
    match epoll.wait(events, EpollTimeout::from(NOTICE_MS)) {
        Err(nix::Error::EINTR) => Ok(0),
        result => Ok(result?),
    }
}

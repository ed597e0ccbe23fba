//! A load of questions and answers: each flow asks again as soon as it has its answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::error::Error;
use crate::namespace::Namespace;

/// A load on an echo server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedLoop {
    /// Where questions go.
    pub to: SocketAddr,
    /// How a question travels.
    pub by: Travel,
    /// Flows at a time, at least 1, each with one question on its way.
    pub flows: usize,
    /// How long to ask.
    pub duration: Duration,
}

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// On a TCP connection that stays.
    Tcp,
    /// On a TCP connection of its own, which the server closes.
    FreshTcp,
    /// In a datagram.
    Udp,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// How long each question took, in the order of the answers; with a fresh connection, that is part of it.
    pub times: Vec<Duration>,
    /// Questions that were not answered: datagrams that were lost, connections that broke.
    pub lost: u64,
    /// From the first question to the last answer.
    pub elapsed: Duration,
}

/// Bytes of a question and of its answer.
const QUESTION: [u8; 64] = [b'?'; 64];
/// When a datagram counts as lost, and a connection as broken.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often that is looked at while nothing comes.
const TICK_MS: u8 = 50;

impl ClosedLoop {
    /// Asks from inside `namespace`.
    pub fn run(&self, namespace: &Namespace) -> Result<Answered, Error> {
        namespace
            .run(|| self.ask())?
            .map_err(|error| namespace.error(format!("ask {} by {:?}", self.to, self.by), error))
    }

    fn ask(&self) -> io::Result<Answered> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut answered = Answered { times: Vec::new(), lost: 0, elapsed: Duration::ZERO };
        let mut flows = Vec::new();
        for number in 0..self.flows.max(1) {
            flows.push(Flow::open(self, &epoll, number)?);
        }
        let started = Instant::now();
        for flow in &mut flows {
            flow.ask()?;
        }
        let mut events = [EpollEvent::empty(); 256];
        while started.elapsed() < self.duration {
            let ready = match epoll.wait(&mut events, EpollTimeout::from(TICK_MS)) {
                Err(nix::Error::EINTR) => 0,
                result => result?,
            };
            for event in events.iter().take(ready) {
                let number = usize::try_from(event.data()).unwrap_or(usize::MAX);
                let Some(flow) = flows.get_mut(number) else { continue };
                match flow.answer() {
                    Ok(false) => {}
                    Ok(true) => {
                        answered.times.push(flow.asked.elapsed());
                        flow.next(self, &epoll, number)?;
                    }
                    Err(_) => {
                        answered.lost += 1;
                        flow.begin_anew(self, &epoll, number)?;
                    }
                }
            }
            if ready < events.len() {
                for (number, flow) in flows.iter_mut().enumerate() {
                    if flow.asked.elapsed() > PATIENCE {
                        answered.lost += 1;
                        flow.begin_anew(self, &epoll, number)?;
                    }
                }
            }
        }
        answered.elapsed = started.elapsed();
        Ok(answered)
    }
}

/// A flow with a question on its way.
struct Flow {
    socket: Socket,
    asked: Instant,
    /// Bytes of the answer that have come.
    received: usize,
}

enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Flow {
    fn open(load: &ClosedLoop, epoll: &Epoll, number: usize) -> io::Result<Self> {
        // Connecting is part of the time of a question that does.
        let asked = Instant::now();
        let socket = match load.by {
            Travel::Tcp | Travel::FreshTcp => {
                let stream = TcpStream::connect_timeout(&load.to, Duration::from_secs(2))?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Socket::Tcp(stream)
            }
            Travel::Udp => {
                let any: SocketAddr = match load.to {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(load.to)?;
                socket.set_nonblocking(true)?;
                Socket::Udp(socket)
            }
        };
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        match &socket {
            Socket::Tcp(stream) => epoll.add(stream.as_fd(), event)?,
            Socket::Udp(socket) => epoll.add(socket.as_fd(), event)?,
        }
        Ok(Self { socket, asked, received: 0 })
    }

    fn ask(&mut self) -> io::Result<()> {
        self.received = 0;
        match &mut self.socket {
            Socket::Tcp(stream) => stream.write_all(&QUESTION),
            // A refusal is about the question before, and counts as its loss.
            Socket::Udp(socket) => socket.send(&QUESTION).map(drop).or(Ok(())),
        }
    }

    /// Whether the whole answer has come.
    fn answer(&mut self) -> io::Result<bool> {
        let mut buffer = [0; QUESTION.len()];
        let received = match &mut self.socket {
            Socket::Tcp(stream) => stream.read(&mut buffer),
            Socket::Udp(socket) => socket.recv(&mut buffer),
        };
        match received {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.received += length;
                Ok(self.received >= QUESTION.len())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks the next question.
    fn next(&mut self, load: &ClosedLoop, epoll: &Epoll, number: usize) -> io::Result<()> {
        if load.by == Travel::FreshTcp {
            return self.begin_anew(load, epoll, number);
        }
        self.asked = Instant::now();
        self.ask()
    }

    /// The same, by a new connection or from another port.
    fn begin_anew(&mut self, load: &ClosedLoop, epoll: &Epoll, number: usize) -> io::Result<()> {
        *self = Self::open(load, epoll, number)?;
        self.ask()
    }
}

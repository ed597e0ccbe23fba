//! Servers that do what a test says, each connection or datagram in a thread of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;

use socket2::{Domain, Socket, Type};

/// Calls `serve` for every connection, for as long as the test runs.
pub(crate) fn tcp(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (Ok(connection), serve) = (connection, Arc::clone(&serve)) else { return };
            thread::spawn(move || serve(connection));
        }
    });
    address
}

/// Calls `answer` with every datagram; what it returns goes back.
pub(crate) fn udp(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut datagram = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut datagram) {
            for answer in answer(&datagram[..length]) {
                // Whoever asked may have heard enough.
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

/// Reads a request's head, and answers with what `answer` makes of it.
pub(crate) fn http(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    tcp(move |mut connection| {
        let head = head(&connection);
        let _ = connection.write_all(&answer(&head));
    })
}

/// The head of a request, as far as it comes.
pub(crate) fn head(connection: impl std::io::Read) -> String {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while let Ok(read) = reader.read_line(&mut head) {
        if read == 0 || head.ends_with("\r\n\r\n") {
            break;
        }
    }
    head
}

/// An answer with a status and a body.
pub(crate) fn response(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A port of every address of loopback where connections are neither taken nor refused, while this lives: its queue is full.
pub(crate) struct Mute {
    pub(crate) port: u16,
    _listener: Socket,
    _queued: Vec<Socket>,
}

impl Mute {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let port = listener.local_addr().unwrap().as_socket().unwrap().port();
        let queue = |_| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            // The first is queued, and the others wait in vain.
            let _ = client.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into());
            client
        };
        Self { port, _queued: (0..2).map(queue).collect(), _listener: listener }
    }

    /// One of its backends.
    pub(crate) fn backend(&self, number: u16) -> SocketAddr {
        let [high, low] = number.to_be_bytes();
        ([127, 1, high, low], self.port).into()
    }
}

/// A port that nobody listens on.
pub(crate) fn closed() -> SocketAddr {
    // Bound and given back: the kernel does not hand it out again so soon.
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

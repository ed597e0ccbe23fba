//! TCP connections that are held open, each with the server that took it.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use lightpath_lab::Namespace;

/// Serves connections in a namespace for as long as the test runs: every line is answered with the server's name.
pub(crate) fn serve_lines(namespace: &Namespace, address: SocketAddr, name: &'static str) {
    let listener = namespace.run(|| TcpListener::bind(address).unwrap()).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else { return };
            thread::spawn(move || answer(&connection, name));
        }
    });
}

fn answer(connection: &TcpStream, name: &str) {
    let mut writer = connection;
    let mut lines = BufReader::new(connection).lines();
    while let Some(Ok(_)) = lines.next() {
        if writer.write_all(format!("{name}\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// Connections that must not break.
pub(crate) struct Held(Vec<(TcpStream, String)>);

impl Held {
    /// Opens so many to a service.
    pub(crate) fn open(client: &Namespace, service: (IpAddr, u16), count: usize) -> Self {
        let connect = || {
            let connection = TcpStream::connect_timeout(&service.into(), Duration::from_secs(5)).unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let server = say(&connection).unwrap();
            (connection, server)
        };
        Self(client.run(|| (0..count).map(|_| connect()).collect()).unwrap())
    }

    /// Each still talks to the server it began with; how many servers they are.
    #[track_caller]
    pub(crate) fn all_talk(&self) -> usize {
        for (index, (connection, server)) in self.0.iter().enumerate() {
            match say(connection) {
                Ok(answered) => assert_eq!(answered, *server, "connection {index} changed its server"),
                Err(error) => panic!("connection {index} to {server}: {error}"),
            }
        }
        let mut servers: Vec<&str> = self.0.iter().map(|(_, server)| server.as_str()).collect();
        servers.sort_unstable();
        servers.dedup();
        servers.len()
    }

    /// Each of one server's has been broken off, and all others still talk to the server they began with.
    #[track_caller]
    pub(crate) fn only_those_break_of(&self, broken: &str) {
        for (index, (connection, server)) in self.0.iter().enumerate() {
            match say(connection) {
                Ok(answered) if server != broken => assert_eq!(answered, *server, "connection {index}"),
                Err(_) if server == broken => {}
                other => panic!("connection {index} to {server}: {other:?}"),
            }
        }
    }

    /// How many talk to a server.
    pub(crate) fn with(&self, name: &str) -> usize {
        self.0.iter().filter(|(_, server)| server == name).count()
    }
}

fn say(mut connection: &TcpStream) -> std::io::Result<String> {
    connection.write_all(b"who is it\n")?;
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    if line.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim().to_owned())
}

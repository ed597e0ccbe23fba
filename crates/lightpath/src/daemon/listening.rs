//! Taking an address to serve at, while another may be served still.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, SockRef, Socket, Type};

/// Connections that may wait to be accepted, as the standard library has it.
const BACKLOG: i32 = 128;

/// Listens at an address, also where one is in the way that this process listens at, `beside`: every address of this host with a port
/// contains each of them. The other goes on as long as it is held.
pub(super) fn listen(at: SocketAddr, beside: Option<&TcpListener>) -> io::Result<TcpListener> {
    // The standard library sets SO_REUSEADDR, so connections that have just ended are not in the way.
    let listener = match (TcpListener::bind(at), beside) {
        (Err(error), Some(beside)) if error.kind() == io::ErrorKind::AddrInUse => together(at, beside),
        (bound, _) => bound,
    }?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Sockets of one user may have addresses in common when both say so; who comes later may not.
fn together(at: SocketAddr, beside: &TcpListener) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    let beside = SockRef::from(beside);
    let both = |share| socket.set_reuse_port(share).and_then(|()| beside.set_reuse_port(share));
    both(true)?;
    let taken = socket.bind(&at.into()).and_then(|()| socket.listen(BACKLOG));
    both(false)?;
    taken?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_exchanged_for_one_that_contains_it_and_back() {
        let one = listen(SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap();
        let here = one.local_addr().unwrap();
        let everywhere = SocketAddr::from(([0, 0, 0, 0], here.port()));
        assert_eq!(listen(everywhere, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let all = listen(everywhere, Some(&one)).unwrap();
        drop(one);
        assert_eq!(
            listen(here, None).unwrap_err().kind(),
            io::ErrorKind::AddrInUse,
            "it is not shared with others"
        );
        let one = listen(here, Some(&all)).unwrap();
        drop(all);
        assert_eq!(one.local_addr().unwrap(), here);
        // Somebody else's is no reason to share.
        let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let taken = listen(other.local_addr().unwrap(), Some(&one)).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}

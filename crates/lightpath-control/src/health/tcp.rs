//! TCP: a connection comes about.

use tokio::net::TcpStream;

use super::cause::Cause;
use super::peer::Peer;

/// Connects, and resets the connection.
pub(super) async fn check(to: &Peer) -> Result<(), Cause> {
    connect(to).await.map(drop)
}

/// A connection that is reset when it is dropped: closed, it would stay in TIME_WAIT for a minute, and thousands of checks a
/// second would leave no port for others.
pub(super) async fn connect(to: &Peer) -> Result<TcpStream, Cause> {
    let stream = to.connect().await?;
    stream.set_zero_linger()?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

//! One rtnetlink conversation inside a namespace.

use std::io;

use rtnetlink::Handle;
use tokio::runtime;

use crate::error::Error;
use crate::namespace::Namespace;

impl Namespace {
    /// Opens an rtnetlink socket inside the namespace and has `talk` use it; `action` names it in errors.
    pub(crate) fn netlink<T: Send>(
        &self,
        action: &str,
        talk: impl AsyncFnOnce(Handle) -> Result<T, rtnetlink::Error> + Send,
    ) -> Result<T, Error> {
        self.run(|| {
            runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
                let (connection, handle, _) = rtnetlink::new_connection()?;
                tokio::spawn(connection);
                talk(handle).await.map_err(as_io)
            })
        })?
        .map_err(|error| self.error(action, error))
    }
}

/// The errno, where the kernel gave one.
pub(crate) fn as_io(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}

//! Small servers, each in a thread of its own inside a namespace.

pub(crate) mod echo;
pub(crate) mod http;
pub(crate) mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::namespace::Namespace;

/// A running server; dropping it stops it, and its connections are closed.
#[derive(Debug)]
pub(crate) struct Worker {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Worker {
    /// Starts `serve` on what `bind` gives, in a thread called `name` inside `namespace`, and returns once it is bound,
    /// with the address it is bound to.
    pub(crate) fn start<S>(
        namespace: &Namespace,
        name: &str,
        address: SocketAddr,
        bind: impl AsyncFnOnce() -> io::Result<(S, SocketAddr)> + Send + 'static,
        serve: impl AsyncFnOnce(S) + Send + 'static,
    ) -> Result<(Self, SocketAddr), Error> {
        let fail = |error| namespace.error(format!("serve {name} on {address}"), error);
        let (stop, stopped) = oneshot::channel();
        let (tell, bound) = mpsc::channel();
        let thread = namespace.spawn(name, move || {
            let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            runtime.block_on(async {
                let socket = match bind().await {
                    Ok((socket, address)) => {
                        drop(tell.send(Ok(address)));
                        socket
                    }
                    Err(error) => return drop(tell.send(Err(error))),
                };
                tokio::select! {
                    () = serve(socket) => {}
                    _ = stopped => {}
                }
            });
        })?;
        let worker = Self { stop: Some(stop), thread: Some(thread) };
        match bound.recv() {
            Ok(Ok(address)) => Ok((worker, address)),
            Ok(Err(error)) => Err(fail(error)),
            Err(_) => Err(fail(io::Error::other("its thread could not enter the namespace"))),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed by the panic hook; a drop must not add a second one.
            let _ = thread.join();
        }
    }
}

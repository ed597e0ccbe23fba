//! Network namespaces that exist only as long as this process holds them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::Error;
use crate::{process, sysfs};

/// An anonymous network namespace, held by a file descriptor.
///
/// It has no name in the file system: when the last clone of this value, the last thread and the last process inside are
/// gone, the kernel removes it with its links, addresses and routes (network_namespaces(7)).
#[derive(Clone, Debug)]
pub struct Namespace {
    name: Arc<str>,
    file: Arc<OwnedFd>,
}

impl Namespace {
    /// Makes a namespace with its loopback up and the settings of a host, not a router. `name` appears in errors and as
    /// the name of threads.
    pub fn new(name: &str) -> Result<Self, Error> {
        let file = in_thread(name, || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        })
        .and_then(|file| file)
        .map_err(|error| Error::new(name, "make a network namespace", error))?;
        let namespace = Self { name: name.into(), file: Arc::new(file.into()) };
        namespace.set_host_defaults()?;
        namespace.link_up("lo")?;
        Ok(namespace)
    }

    /// The network namespace the calling thread is in.
    pub fn current(name: &str) -> Result<Self, Error> {
        let file = File::open("/proc/thread-self/ns/net")
            .map_err(|error| Error::new(name, "open /proc/thread-self/ns/net", error))?;
        Ok(Self { name: name.into(), file: Arc::new(file.into()) })
    }

    /// The name given to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` in a new thread inside the namespace and returns what it returns.
    ///
    /// Sockets stay in the namespace they were opened in, so they can be made here and used anywhere. A panic of `work`
    /// continues in the caller.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        in_thread(&self.name, || {
            setns(&self.file, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        })
        .and_then(|result: io::Result<T>| result)
        .map_err(|error| Error::new(&*self.name, "run a thread in its network namespace", error))
    }

    /// Starts a thread named `name` that does `work` inside the namespace.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<io::Result<T>>, Error> {
        let file = Arc::clone(&self.file);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                setns(&file, CloneFlags::CLONE_NEWNET)?;
                // From here on the thread itself keeps the namespace alive.
                drop(file);
                Ok(work())
            })
            .map_err(|error| Error::new(&*self.name, format!("start thread {name}"), error))
    }

    /// A command that will run `program` inside the namespace, with a `/sys` that shows it.
    ///
    /// The kernel kills the program when the *thread* that started it ends (`PR_SET_PDEATHSIG`, prctl(2)): start it from
    /// one that lives as long as the program should, not from within [`run`](Self::run). That goes for the program itself;
    /// what it forks in turn is its own affair, so run servers as one process (nginx: `master_process off`).
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        process::command_in(Arc::clone(&self.file), program)
    }

    /// Moves the calling thread into the namespace for good, with a `/sys` that shows it.
    ///
    /// Threads and processes that it starts afterwards are inside as well; other threads stay where they are.
    pub fn enter(&self) -> Result<(), Error> {
        setns(&self.file, CloneFlags::CLONE_NEWNET)
            .and_then(|()| sysfs::show_current_namespace())
            .map_err(|error| Error::new(&*self.name, "enter the network namespace", error.into()))
    }

    /// The error of an `action` in this namespace.
    pub(crate) fn error(&self, action: impl Into<String>, source: io::Error) -> Error {
        Error::new(&*self.name, action, source)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Runs `work` in a thread of its own: namespaces are a property of threads, and a thread that was moved is not given
/// back to the caller.
fn in_thread<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

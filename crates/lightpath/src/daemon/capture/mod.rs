//! Packets copied for somebody who looks on: one capture at a time.

mod filter;
mod look;
mod names;
mod pcapng;
mod stream;

use axum::http::StatusCode;
use lightpath_dataplane::{Capture as Program, Samples};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::Daemon;
use crate::cli::Wanted;
use crate::problem::Problem;
use filter::Filter;
pub(in crate::daemon) use look::{Look, Looked, look};
use names::Names;
pub(in crate::daemon) use stream::body;

/// A capture that goes on.
#[derive(Debug)]
pub(super) struct Capture {
    program: Program,
    purpose: Purpose,
    /// Dropped when it ends, so that the one who reads the copies knows.
    goes_on: oneshot::Sender<()>,
}

/// What packets are copied for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Somebody wants them.
    Capture,
    /// Examples of what is dropped, which give way.
    Look,
}

/// A capture for the one who asked for it.
#[derive(Debug)]
pub(super) struct Begun {
    samples: Samples,
    filter: Filter,
    names: Names,
    wanted: Wanted,
    /// Resolves when the capture is ended from elsewhere.
    ended: oneshot::Receiver<()>,
}

impl Daemon {
    /// Has packets copied from now on.
    pub(super) fn begin_capture(&mut self, wanted: Wanted) -> Result<Begun, Problem> {
        self.begin(wanted, Purpose::Capture)
    }

    fn begin(&mut self, wanted: Wanted, purpose: Purpose) -> Result<Begun, Problem> {
        self.forget_capture();
        match self.capture.as_ref().map(|capture| (capture.purpose, purpose)) {
            None => {}
            Some((Purpose::Look, Purpose::Capture)) => self.end_capture(),
            Some((Purpose::Look, Purpose::Look)) => {
                let detail = "somebody else looks for examples just now";
                return Err(Problem::new(StatusCode::CONFLICT, detail));
            }
            Some((Purpose::Capture, _)) => {
                let detail = "somebody else captures packets; one at a time can";
                return Err(Problem::new(StatusCode::CONFLICT, detail));
            }
        }
        let names = Names::of(&self.reconciler);
        let filter = Filter::of(&wanted, &names)?;
        let (program, samples) = self.kernel.0.begin_capture(filter.in_kernel()).map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("packets cannot be captured: {error}"))
        })?;
        match purpose {
            Purpose::Capture => info!("packets are captured"),
            Purpose::Look => debug!("examples of what is dropped are looked for"),
        }
        let (goes_on, ended) = oneshot::channel();
        self.capture = Some(Capture { program, purpose, goes_on });
        Ok(Begun { samples, filter, names, wanted, ended })
    }

    /// Ends a capture that nobody reads any more.
    pub(super) fn forget_capture(&mut self) {
        if self.capture.as_ref().is_some_and(|capture| capture.goes_on.is_closed()) {
            self.end_capture();
        }
    }

    /// Has no packets copied any more. Before another program takes over, too: it copies nothing.
    pub(super) fn end_capture(&mut self) {
        let Some(Capture { program, purpose, .. }) = self.capture.take() else { return };
        match self.kernel.0.end_capture(program) {
            Ok(()) if purpose == Purpose::Look => debug!("no more examples are looked for"),
            Ok(()) => info!("packets are not captured any more"),
            Err(error) => warn!(%error, "the program that captures packets stays; a restart exchanges it"),
        }
    }
}

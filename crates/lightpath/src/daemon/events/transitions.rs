//! From how things are, look after look, to what happened.

use std::collections::{BTreeMap, BTreeSet};

use lightpath_abi::BackendNumber;
use lightpath_control::model::WhenEmpty;
use lightpath_control::reconcile::Reconciler;
use lightpath_control::transitions::{Drained, Standings, Transition, What, endpoint};

use super::Events;
use crate::event::{About, Kind};

/// How things were when they were last looked at.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Observer {
    /// `None` before the first look.
    standings: Option<Standings>,
    /// The drains that go on.
    drains: BTreeMap<BackendNumber, Drained>,
    /// Whether slots moved.
    moving: bool,
}

impl Observer {
    /// Tells what became of services and backends since the last look.
    pub(in crate::daemon) fn look(&mut self, reconciler: &Reconciler, events: &Events) {
        let now = Standings::of(reconciler);
        let nothing = Standings::default();
        let before = self.standings.as_ref().unwrap_or(&nothing);
        for transition in now.since(before) {
            tell(&transition, events);
        }
        let (were, are) = (before.drained(), now.drained());
        for (number, drained) in std::mem::take(&mut self.drains) {
            if are.contains_key(&number) {
                self.drains.insert(number, drained);
            } else {
                let cause =
                    if now.has(number) { "it takes new flows again" } else { "it was not waited for" };
                drain_ended(&drained, cause, events);
            }
        }
        for (number, drained) in are {
            // At the first look, one that nobody uses is found out soon; later, one that joins without a weight has no flows.
            if self.standings.is_none() || (before.has(number) && !were.contains_key(&number)) {
                self.drains.insert(number, drained);
            }
        }
        self.standings = Some(now);
    }

    /// Tells of drains that have ended: nothing names the backend any more.
    pub(in crate::daemon) fn see_use(&mut self, in_use: &BTreeSet<BackendNumber>, events: &Events) {
        self.drains.retain(|number, drained| {
            let goes_on = in_use.contains(number);
            if !goes_on {
                drain_ended(drained, "no flow of it is left", events);
            }
            goes_on
        });
    }

    /// Takes what a daemon before this one has begun for known.
    pub(in crate::daemon) fn begin(&mut self, moving: bool, in_use: &BTreeSet<BackendNumber>) {
        self.drains.retain(|number, _| in_use.contains(number));
        self.moving = moving;
    }

    /// Tells when slots begin to move, and when the last of them has settled.
    pub(in crate::daemon) fn see_moving(&mut self, slots: usize, events: &Events) {
        match (std::mem::replace(&mut self.moving, slots > 0), slots) {
            (false, 1..) => {
                let about = About { slots: Some(slots), ..About::default() };
                events.tell(Kind::MoveBegan, "slots move to other backends", about);
            }
            (true, 0) => events.tell(Kind::MoveEnded, "all slots have settled", About::default()),
            _ => {}
        }
    }

    /// How many backends are being drained.
    pub(in crate::daemon) fn drains(&self) -> usize {
        self.drains.len()
    }
}

fn drain_ended(drain: &Drained, cause: &str, events: &Events) {
    let about = About {
        service: Some(drain.service.clone()),
        backend: Some(endpoint(drain.backend).to_string()),
        ..About::cause(cause)
    };
    events.tell(Kind::DrainEnded, "the backend is not drained any more", about);
}

fn tell(transition: &Transition, events: &Events) {
    let Transition { service, backend, what } = transition;
    let (kind, message, cause) = match what {
        What::Down { cause } => (Kind::BackendDown, "the backend is down", Some(cause)),
        What::Up => (Kind::BackendUp, "the backend is up", None),
        What::HopLost { cause } => (Kind::NextHopLost, "the backend takes no flows", Some(cause)),
        What::HopFound => (Kind::NextHopFound, "packets can be sent to the backend", None),
        What::DrainBegan => (Kind::DrainBegan, "the backend gets no new flows", None),
        What::PanicBegan => (Kind::PanicBegan, "too few backends are up, so all of them are used", None),
        What::PanicEnded => (Kind::PanicEnded, "enough backends are up", None),
        What::Emptied { packets: WhenEmpty::Reject } => {
            (Kind::ServiceEmpty, "no backend takes flows; packets are refused", None)
        }
        What::Emptied { packets: WhenEmpty::Drop } => {
            (Kind::ServiceEmpty, "no backend takes flows; packets are dropped", None)
        }
        What::Filled => (Kind::ServiceServed, "a backend takes flows again", None),
    };
    let about = About {
        service: Some(service.clone()),
        backend: backend.map(|backend| endpoint(backend).to_string()),
        cause: cause.cloned(),
        ..About::default()
    };
    events.tell(kind, message, about);
}

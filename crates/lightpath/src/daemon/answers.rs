//! What the API asks, answered by the loop that owns everything.

use std::sync::Arc;

use hyper::StatusCode;
use lightpath_dataplane::{Counters, Error as DataplaneError, release_memory};

use super::Daemon;
use super::capture::Looked;
use super::explain::Snapshot;
use super::report::{self, Seen};
use super::server::{Answer, Question};
use crate::drops::{Dropped, Drops};
use crate::problem::Problem;
use crate::status::Status;

impl Daemon {
    /// Answers one question.
    pub(super) async fn answer(&mut self, question: Question) {
        match question {
            Question::Status(to) => send(to, self.status()),
            Question::Metrics(to) => send(to, self.figures()),
            Question::Watch(to) => {
                let watching = self.watched.subscribe();
                self.show();
                send(to, Ok(watching));
            }
            Question::Events(to) => send(to, Ok(Arc::clone(&self.events))),
            Question::Reload { discard, now, to } => {
                if let Some(to) = self.is_free(to) {
                    send(to, self.reload(discard, now).await);
                }
            }
            Question::RollBack(to) => {
                if let Some(to) = self.is_free(to) {
                    send(to, self.roll_back("somebody asked for it"));
                }
            }
            Question::Upgrade(binary, to) => {
                if let Some(to) = self.is_free(to) {
                    self.begin_upgrade(binary, to);
                }
            }
            Question::Change(change, now, to) => {
                if let Some(to) = self.is_free(to) {
                    send(to, self.change(&change, now).await);
                }
            }
            Question::Capture(wanted, to) => send(to, self.begin_capture(wanted)),
            Question::EndCapture => self.forget_capture(),
            Question::Look(to) => send(to, self.begin_look()),
            Question::Drops(looked, to) => {
                let drops = self.drops(looked);
                send(to, drops);
            }
            Question::ExplainFlow(flow, to) => send(to, self.explain(|snapshot| snapshot.flow(&flow))),
            Question::ExplainPackets(packets, to) => {
                let explain =
                    |snapshot: &Snapshot<'_>| packets.iter().map(|packet| snapshot.packet(packet)).collect();
                send(to, self.explain(|snapshot| Ok(explain(snapshot))));
            }
        }
    }

    /// Shows the status to those who watch it.
    pub(super) fn show(&mut self) {
        if self.watched.receiver_count() == 0 {
            return;
        }
        let status = self.status().and_then(|status| {
            let unwritten = |error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}"));
            serde_json::to_string(&status).map_err(unwritten)
        });
        if let Some(status) = self.faults.see("the status cannot be shown", status) {
            self.watched.send_replace(status.into());
        }
    }

    /// What was dropped, with what a look has found.
    fn drops(&mut self, looked: Looked) -> Result<Drops, Problem> {
        let Looked { examples, time, problem } = looked;
        self.drop_examples.extend(examples);
        let drops = Dropped::all(&self.status()?);
        Ok(Drops { drops, looked_seconds: time.as_secs_f64(), not_looked: problem })
    }

    fn status(&self) -> Result<Status, Problem> {
        let counters = self.kernel.0.counters().map_err(|error| unreadable(&error))?;
        self.status_with(&counters)
    }

    pub(super) fn status_with(&self, counters: &Counters) -> Result<Status, Problem> {
        let Self { instance, reconciler, interfaces, rates, motion, .. } = self;
        let (dataplane, health) = (&self.kernel.0, self.checks.peek());
        let status = dataplane.sessions().and_then(|sessions| {
            let seen = Seen { reconciler, health: &health, counters, rates, motion, sessions: &sessions };
            report::status(instance, interfaces, dataplane, &seen)
        });
        let (overrides, file_changed) = (self.overrides.lines(), !self.loaded.is_still(&self.file));
        let drop_examples = self.drop_examples.clone();
        let status = status.map(|status| Status { drop_examples, overrides, file_changed, ..status });
        status.map_err(|error| unreadable(&error))
    }

    /// Answers by a copy of the live tables, so that nothing changes.
    fn explain<T>(&self, answer: impl FnOnce(&Snapshot<'_>) -> Result<T, String>) -> Result<T, Problem> {
        let refused = |problem: String| Problem::new(StatusCode::BAD_REQUEST, problem);
        let tables = self.kernel.0.host_tables().map_err(|error| refused(error.to_string()))?;
        let answer = answer(&Snapshot { tables: &tables, reconciler: &self.reconciler });
        drop(tables);
        release_memory();
        answer.map_err(refused)
    }
}

pub(super) fn unreadable(error: &DataplaneError) -> Problem {
    let detail = format!("the data plane cannot be read: {error}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// Whoever asked may have gone by the time there is an answer.
pub(super) fn send<T>(to: Answer<T>, answer: Result<T, Problem>) {
    drop(to.send(answer));
}

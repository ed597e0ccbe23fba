//! A short look at what is dropped, for an example of each reason. A capture that somebody asks for goes before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use lightpath_core::Reason;
use lightpath_dataplane::Copied;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time;

use super::pcapng::lag;
use super::{Begun, Purpose, names};
use crate::cli::Wanted;
use crate::daemon::Daemon;
use crate::daemon::answers::unreadable;
use crate::daemon::explain::headers;
use crate::daemon::server::{Question, ask};
use crate::drops::Example;
use crate::hex::Hex;
use crate::problem::Problem;

/// Bytes that are kept of an example: all headers of nearly any packet.
const KEPT: u32 = 128;
/// How often it is looked for packets.
const PAUSE: Duration = Duration::from_millis(10);

/// A look that has begun.
#[derive(Debug)]
pub(in crate::daemon) struct Look {
    begun: Begun,
    /// Reasons that packets were dropped for before: with an example of each it ends early.
    reasons: BTreeSet<&'static str>,
}

/// What a look has found.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Looked {
    /// By reason.
    pub(in crate::daemon) examples: BTreeMap<String, Example>,
    pub(in crate::daemon) time: Duration,
    /// Why it did not begin, or ended early.
    pub(in crate::daemon) problem: Option<String>,
}

/// Looks for so long at most.
pub(in crate::daemon) async fn look(
    questions: &Sender<Question>,
    patience: Duration,
) -> Result<Looked, Problem> {
    let look = match ask(questions, Question::Look).await {
        Ok(Some(look)) => look,
        Ok(None) => return Ok(Looked::default()),
        Err(problem) => return Ok(Looked { problem: Some(problem.detail), ..Looked::default() }),
    };
    let questions = questions.clone();
    // A task of its own hands back also when whoever asked has gone.
    let looking = tokio::spawn(async move {
        let looked = look.examples(patience).await;
        let _ = questions.send(Question::EndCapture).await;
        looked
    });
    looking.await.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

impl Daemon {
    /// Has packets copied that are dropped, unless none was dropped so far.
    pub(in crate::daemon) fn begin_look(&mut self) -> Result<Option<Look>, Problem> {
        let counters = self.kernel.0.counters().map_err(|error| unreadable(&error))?;
        let dropped = Reason::ALL.into_iter().filter(|reason| counters.dropped(*reason) > 0);
        let reasons: BTreeSet<&'static str> = dropped.map(Reason::name).collect();
        if reasons.is_empty() {
            return Ok(None);
        }
        let wanted = Wanted {
            reasons: Reason::ALL.map(|reason| reason.name().to_owned()).to_vec(),
            snaplen: KEPT,
            ..Wanted::default()
        };
        let begun = self.begin(wanted, Purpose::Look)?;
        Ok(Some(Look { begun, reasons }))
    }
}

impl Look {
    async fn examples(self, patience: Duration) -> Looked {
        let Self { begun: Begun { mut samples, names, mut ended, .. }, mut reasons } = self;
        let (began, lag) = (Instant::now(), lag());
        let mut examples = BTreeMap::new();
        let mut problem = None;
        loop {
            samples.take(|copied| {
                let number = usize::from(copied.sample.reason).checked_sub(1);
                let Some(reason) = number.and_then(|number| Reason::ALL.get(number)) else { return };
                reasons.remove(reason.name());
                // Of each, the first is enough: there may be millions.
                examples.entry(reason.name().to_owned()).or_insert_with(|| example(&copied, lag, &names));
            });
            if reasons.is_empty() || began.elapsed() >= patience {
                break;
            }
            if ended.try_recv() != Err(TryRecvError::Empty) {
                problem =
                    Some("something else needs the place of the program that copies packets".to_owned());
                break;
            }
            time::sleep(PAUSE).await;
        }
        Looked { examples, time: began.elapsed(), problem }
    }
}

fn example(copied: &Copied<'_>, lag: Duration, names: &names::Names) -> Example {
    let Copied { sample, before, .. } = copied;
    Example {
        time: (lag + Duration::from_nanos(sample.time)).as_secs_f64(),
        interface: names::interface(sample.interface),
        service: (sample.service != 0).then(|| names.service(sample.service)),
        summary: headers::summary(before),
        headers: headers::further(before),
        length: sample.length,
        bytes: Hex(before.to_vec()),
    }
}

//! The last events, and how many there were of each kind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tracing::{Level, event};

use crate::event::{About, Event, Kind, Severity};

/// How many are kept.
const KEPT: usize = 1000;

/// What was told. Those who follow it do so by the number of the last event they saw, so nobody has to be waited for.
#[derive(Debug)]
pub(in crate::daemon) struct Events {
    kept: Mutex<Kept>,
    /// The number of the last one.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    tally: BTreeMap<Kind, u64>,
}

impl Events {
    /// Of a daemon that starts now.
    pub(in crate::daemon) fn new() -> Self {
        // Whatever an earlier daemon told in its time has lower numbers: it told less than one event a millisecond.
        let first = u64::try_from(since_1970().as_millis()).unwrap_or_default();
        Self { kept: Mutex::default(), last: watch::Sender::new(first) }
    }

    /// Tells what happened now.
    pub(in crate::daemon) fn tell(&self, kind: Kind, message: impl Into<String>, about: About) {
        let id = *self.last.borrow() + 1;
        let (time, severity, message) = (since_1970().as_secs_f64(), kind.severity(), message.into());
        let event = Event { id, time, kind, severity, message, about };
        log(&event);
        let mut kept = self.kept();
        *kept.tally.entry(kind).or_default() += 1;
        kept.events.push_back(Arc::new(event));
        if kept.events.len() > KEPT {
            kept.events.pop_front();
        }
        drop(kept);
        self.last.send_replace(id);
    }

    /// How often each kind was told.
    pub(in crate::daemon) fn tally(&self) -> BTreeMap<Kind, u64> {
        self.kept().tally.clone()
    }

    /// Those that are kept with numbers beyond `id`, and then what happens.
    pub(in crate::daemon) fn follow(self: Arc<Self>, id: u64) -> impl Stream<Item = Arc<Event>> {
        let news = self.last.subscribe();
        stream::unfold((self, news, id), |(events, mut news, id)| async move {
            loop {
                news.borrow_and_update();
                if let Some(event) = events.after(id) {
                    let id = event.id;
                    return Some((event, (events, news, id)));
                }
                news.changed().await.ok()?;
            }
        })
    }

    /// The first that is kept with a number beyond `id`.
    fn after(&self, id: u64) -> Option<Arc<Event>> {
        let kept = self.kept();
        let position = kept.events.partition_point(|event| event.id <= id);
        kept.events.get(position).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since_1970() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A line of the log with the fields of an event; those that say nothing are left out.
fn log(event: &Event) {
    let Event { id, kind, message, about, .. } = event;
    let changes = (!about.changes.is_empty()).then(|| about.changes.join("; "));
    macro_rules! line {
        ($level:expr) => {
            event!(
                $level,
                id,
                event = kind.name(),
                service = about.service,
                backend = about.backend,
                interface = about.interface,
                cause = about.cause,
                changes,
                slots = about.slots,
                program = about.program,
                version = about.version,
                "{message}"
            )
        };
    }
    match event.severity {
        Severity::Info => line!(Level::INFO),
        Severity::Warning => line!(Level::WARN),
        Severity::Error => line!(Level::ERROR),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    fn tell(events: &Events, slots: usize) {
        events.tell(Kind::MoveBegan, "slots move", About { slots: Some(slots), ..About::default() });
    }

    /// What a stream has without waiting.
    fn ready(mut stream: impl Stream<Item = Arc<Event>> + Unpin) -> Vec<usize> {
        let next = || stream.next().now_or_never().flatten();
        std::iter::from_fn(next).map(|event| event.about.slots.unwrap()).collect()
    }

    #[test]
    fn a_follower_sees_what_is_kept_and_what_comes() {
        let events = Arc::new(Events::new());
        (0..3).for_each(|slots| tell(&events, slots));
        let mut follower = Box::pin(Arc::clone(&events).follow(0));
        assert_eq!(ready(&mut follower), [0, 1, 2]);
        tell(&events, 3);
        assert_eq!(ready(&mut follower), [3]);

        let second = events.after(0).unwrap().id + 1;
        assert_eq!(ready(Box::pin(Arc::clone(&events).follow(second))), [2, 3]);
        assert_eq!(events.tally(), BTreeMap::from([(Kind::MoveBegan, 4)]));
    }

    #[test]
    fn only_the_last_are_kept_and_all_are_counted() {
        let events = Arc::new(Events::new());
        (0..KEPT + 5).for_each(|slots| tell(&events, slots));
        let seen = ready(Box::pin(Arc::clone(&events).follow(0)));
        assert_eq!((seen.len(), seen[0]), (KEPT, 5));
        assert_eq!(events.tally()[&Kind::MoveBegan], KEPT as u64 + 5);
    }

    #[test]
    fn a_later_daemon_goes_on_with_greater_numbers() {
        let earlier = Arc::new(Events::new());
        (0..5).for_each(|slots| tell(&earlier, slots));
        let last = *earlier.last.borrow();
        std::thread::sleep(std::time::Duration::from_millis(10));
        let later = Arc::new(Events::new());
        tell(&later, 7);
        assert_eq!(ready(Box::pin(later.follow(last))), [7], "whoever followed the one follows the other");
    }
}

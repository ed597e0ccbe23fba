//! The sessions of `fullnat`: how many live, and which are to be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use lightpath_abi::{BackendNumber, SESSION_WAYS, SESSION_WORDS, Session, SessionSet, Word};
use lightpath_core::is_over;

use crate::Error;
use crate::clock::monotonic_seconds;
use crate::maps::Maps;

/// The word of a session that says whose it is.
const CLAIM: usize = std::mem::offset_of!(Session, claim) / size_of::<Word>();

impl Maps {
    /// How many sessions live on each backend that has any.
    pub(crate) fn sessions(&self) -> Result<BTreeMap<BackendNumber, usize>, Error> {
        let now = monotonic_seconds();
        let mut alive = BTreeMap::new();
        let memory = self.session_memory()?;
        for place in 0..self.capacity.sessions as usize {
            if memory.read::<1>(place * SESSION_WORDS + CLAIM) == [0] {
                continue;
            }
            let session = Session::from_words(memory.read(place * SESSION_WORDS));
            let backend = self.backend(session.number());
            if session.claim.load() != 0
                && !is_over(&session, now)
                && lightpath_core::is_served_by(&session, &backend)
            {
                *alive.entry(session.number()).or_default() += 1;
            }
        }
        Ok(alive)
    }

    /// Forgets the sessions of backends.
    pub(crate) fn forget_sessions(&self, backends: &BTreeSet<BackendNumber>) -> Result<(), Error> {
        if backends.is_empty() {
            return Ok(());
        }
        let memory = self.session_memory()?;
        for place in 0..self.capacity.sessions as usize {
            let at = place * SESSION_WORDS;
            let session = Session::from_words(memory.read(at));
            let claim = session.claim.load();
            if claim != 0 && backends.contains(&session.number()) {
                // A packet may have claimed the place since, for another backend.
                memory.exchange(at + CLAIM, claim, 0);
            }
        }
        Ok(())
    }

    /// All places, in use or not.
    pub(crate) fn stored_sessions(&self) -> Result<Vec<Session>, Error> {
        let memory = self.session_memory()?;
        let places = 0..self.capacity.sessions as usize;
        Ok(places.map(|place| Session::from_words(memory.read(place * SESSION_WORDS))).collect())
    }

    /// The index of the sessions.
    pub(crate) fn stored_session_sets(&self) -> Result<Vec<SessionSet>, Error> {
        let memory = self.session_index()?;
        let sets = 0..SessionSet::count(self.capacity.sessions) as usize;
        let read = |set| SessionSet(memory.read::<SESSION_WAYS>(set * SESSION_WAYS).map(Word::new));
        Ok(sets.map(read).collect())
    }
}

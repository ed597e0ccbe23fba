//! What the service manager is told (sd_notify(3)). Without one, nothing is said.

use sd_notify::NotifyState;
use tracing::warn;

/// Packets are balanced; also after a reload, whatever became of it.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again. systemd refuses this without the time (since version 253).
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "no monotonic clock, so the service manager is not told of a reload"),
    }
}

/// The loop is running, and what it has to say of itself.
pub(super) fn alive(status: &str) {
    tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
}

/// The end has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager cannot be told");
    }
}

//! `lightpath decap`: the backend's end of a tunnel, for as long as the command runs.
//!
//! Like the daemon it takes a socket, so that an interface has one of it and `lightpath detach` knows; nothing is asked over it.
//! The program outlives a crash: the next one takes its place.

mod hints;
mod report;
mod words;

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lightpath_control::host::local_prefixes;
use lightpath_core::{Format, Refusal};
use lightpath_dataplane::{Decap, DecapSpec, Error, Unwrapped, XdpMode, check_interfaces, detach};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::api;
use crate::cli;
use crate::daemon::listen;
use crate::instance::Instance;
pub(crate) use report::Report;

/// How often the interface and the host's addresses are looked after.
const TICK: Duration = Duration::from_secs(1);

/// Unwraps until SIGTERM or SIGINT; what was counted until then.
pub(crate) async fn serve(options: &cli::Decap, instance: &Instance) -> Result<Report> {
    let interface = options.interface();
    if api::is_served(&instance.socket) {
        bail!("another lightpath decap runs on {interface}; stop it first (SIGTERM)");
    }
    let listener = listen(&instance.socket, &instance.name)?;
    // Before anything is attached: an end that comes early takes it off too.
    let stop = stop()?;
    let ended = match End::start(options, instance) {
        Ok(end) => end.serve(listener, stop, options, instance).await,
        Err(error) => {
            // A first start that was refused leaves nothing behind; where a program ran before, it runs on.
            if instance.pins.linked_interfaces().is_ok_and(|linked| linked.is_empty()) {
                instance.pins.remove()?;
            }
            Err(error)
        }
    };
    if let Err(error) = std::fs::remove_file(&instance.socket) {
        warn!(socket = %instance.socket.display(), %error, "the socket stays");
    }
    ended
}

/// Catches SIGTERM and SIGINT from now on; what it gives is done with the first of them.
fn stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The end of the tunnels on one interface.
struct End {
    decap: Decap,
    interface: String,
    mode: XdpMode,
    attached: bool,
    /// What was counted when it was last looked at.
    seen: Unwrapped,
}

impl End {
    fn start(options: &cli::Decap, instance: &Instance) -> Result<Self> {
        let interface = options.interface().to_owned();
        let mode = options.xdp_mode.into();
        check_interfaces(&instance.pins, std::slice::from_ref(&interface))?;
        let spec = DecapSpec { sources: options.from.clone(), strict: options.strict };
        let mut decap = Decap::load(&spec)?;
        decap.set_local(&local_prefixes()?)?;
        let attached = decap.attach(&instance.pins, &interface, mode)?;
        hints::look_at_host(&interface);
        let from: Vec<String> = options.from.iter().map(ToString::to_string).collect();
        info!(interface, mode = ?attached, from = from.join(", "), "unwrapping");
        Ok(Self { decap, interface, mode, attached: true, seen: Unwrapped::default() })
    }

    async fn serve(
        mut self,
        listener: UnixListener,
        stop: impl Future<Output = ()>,
        options: &cli::Decap,
        instance: &Instance,
    ) -> Result<Report> {
        let mut stop = pin!(stop);
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => break,
                // Whoever connects wants to know that somebody is here.
                _ = listener.accept() => {}
                _ = tick.tick() => self.look_after(instance),
            }
        }
        if options.keep {
            info!(
                interface = self.interface,
                "the program stays on the interface; `lightpath detach --instance {}` takes it off",
                instance.name
            );
        } else {
            detach(&instance.pins).context("the program stays on the interface")?;
            info!(interface = self.interface, "the program is off the interface");
        }
        Ok(Report::new(options, &self.decap.counters()?))
    }

    /// Follows the host's addresses, an interface that was made anew, and what goes wrong with packets.
    fn look_after(&mut self, instance: &Instance) {
        match local_prefixes() {
            Ok(prefixes) => {
                if let Err(error) = self.decap.set_local(&prefixes) {
                    error!("changes of this host's addresses are not followed: {error}");
                }
            }
            Err(error) => warn!("{error}"),
        }
        match self.decap.is_attached(&self.interface) {
            Ok(true) => {}
            Ok(false) => self.attach_again(instance),
            Err(error) => warn!("{error}"),
        }
        match self.decap.counters() {
            Ok(counters) => self.notice(&counters),
            Err(error) => warn!("{error}"),
        }
    }

    fn attach_again(&mut self, instance: &Instance) {
        match self.decap.attach(&instance.pins, &self.interface, self.mode) {
            Ok(_) => {
                warn!(
                    interface = self.interface,
                    "the interface is back, or was without the program: it is on again"
                );
                self.attached = true;
            }
            Err(error) if self.attached => {
                let gone = matches!(error, Error::NoInterface { .. });
                let then = if gone { "; the program is on it as soon as it is back" } else { "" };
                error!(interface = self.interface, "nothing is unwrapped any more: {error}{then}");
                self.attached = false;
            }
            // Said already.
            Err(_) => {}
        }
    }

    /// Says once that packets are unwrapped, and of each way not to be that it occurs.
    fn notice(&mut self, counters: &Unwrapped) {
        for format in Format::ALL {
            if self.seen.of(format).packets == 0 && counters.of(format).packets > 0 {
                info!(interface = self.interface, format = format.name(), "the first packets are unwrapped");
            }
        }
        for refusal in Refusal::ALL {
            if self.seen.refused(refusal) == 0 && counters.refused(refusal) > 0 {
                warn!(interface = self.interface, reason = refusal.name(), "{}", words::meaning(refusal));
            }
        }
        self.seen = *counters;
    }
}

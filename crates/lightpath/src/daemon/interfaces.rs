//! The interfaces the data plane is attached to, watched: one that goes is said once, one that returns is attached again.

use anyhow::Result;
use lightpath_control::model::XdpMode as Wanted;
use lightpath_dataplane::{Dataplane, Error, Interface, Mode, XdpMode};

use super::events::{Events, Faults};
use crate::event::{About, Kind};

/// The configured interfaces and how the program runs on each; `None` while it does not.
#[derive(Debug)]
pub(super) struct Interfaces {
    names: Vec<String>,
    mode: XdpMode,
    modes: Vec<Option<Mode>>,
}

impl Interfaces {
    /// Attaches to all of them, or to none.
    pub(super) fn attach(names: &[String], wanted: Wanted, dataplane: &mut Dataplane) -> Result<Self> {
        let mode = mode(wanted);
        let attachments = dataplane.attach(names, mode)?;
        let modes = attachments.into_iter().map(|attachment| Some(attachment.mode)).collect();
        Ok(Self { names: names.to_vec(), mode, modes })
    }

    /// Whether the program is on just these, as it is wanted.
    pub(super) fn are(&self, names: &[String], wanted: Wanted) -> bool {
        self.names == names && self.mode == mode(wanted) && self.modes.iter().all(Option::is_some)
    }

    /// Each interface and how the program runs on it.
    pub(super) fn modes(&self) -> impl Iterator<Item = (&str, Option<Mode>)> {
        self.names.iter().map(String::as_str).zip(self.modes.iter().copied())
    }

    /// Whether the program runs in the kernel's generic path anywhere.
    pub(super) fn any_generic(&self) -> bool {
        self.modes.contains(&Some(Mode::Generic))
    }

    /// The names of the interfaces that are there.
    pub(super) fn present(&self) -> Vec<String> {
        self.modes().filter(|(_, mode)| mode.is_some()).map(|(name, _)| name.to_owned()).collect()
    }

    /// Looks after them, and tells what became of them.
    pub(super) fn watch(&mut self, dataplane: &mut Dataplane, events: &Events, faults: &mut Faults) {
        let mut unseen = Ok(());
        for (name, mode) in self.names.iter().zip(&mut self.modes) {
            let about =
                |cause: Option<String>| About { interface: Some(name.clone()), cause, ..About::default() };
            match Interface::named(name) {
                Ok(Interface { xdp: Some(_), .. }) if mode.is_some() => {}
                Ok(_) => match dataplane.attach_also(name, self.mode) {
                    Ok(attached) => {
                        let message = if mode.is_none() {
                            "the interface is back and balanced again"
                        } else {
                            "the data plane had been taken off the interface and is on again"
                        };
                        events.tell(Kind::InterfaceReturned, message, about(None));
                        *mode = Some(attached);
                    }
                    Err(problem) => {
                        if mode.take().is_some() {
                            let message = "the interface is not balanced any more";
                            events.tell(Kind::InterfaceLost, message, about(Some(problem.to_string())));
                        }
                    }
                },
                Err(Error::NoInterface { .. }) => {
                    if mode.take().is_some() {
                        let message = "the interface is gone, so its packets are not balanced; it is attached as soon as it is back";
                        events.tell(
                            Kind::InterfaceLost,
                            message,
                            about(Some("no such interface".to_owned())),
                        );
                    }
                }
                Err(problem) => unseen = Err(format!("{name}: {problem}")),
            }
        }
        faults.see("interfaces are not looked after", unseen);
    }
}

fn mode(wanted: Wanted) -> XdpMode {
    match wanted {
        Wanted::Auto => XdpMode::Auto,
        Wanted::Native => XdpMode::Native,
        Wanted::Generic => XdpMode::Generic,
    }
}

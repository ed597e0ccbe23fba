//! Attaching: from a loaded program to packets, and off again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::{XdpLink, XdpMode as AyaMode};
use aya::programs::{ProgramError, ProgramInfo, Xdp, loaded_programs};
use tracing::{info, warn};

use crate::interface::{Interface, Mode};
use crate::object::{PASS, object};
use crate::pins::{Generation, Pins};
use crate::program::vacated;
use crate::{Dataplane, Error, maps};

/// How an operator wants the program attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver where it can, else generic with a warning.
    Auto,
    /// In the driver or not at all.
    Native,
    /// In the kernel's generic path.
    Generic,
}

/// A program on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The interface.
    pub interface: String,
    /// Where the program runs.
    pub mode: Mode,
}

impl Dataplane {
    /// Lets packets in: attaches to each of `interfaces`, or exchanges the program that is there for this one, atomically, and
    /// takes it off interfaces that are no longer named. Links, program and maps are pinned, so they outlive this process.
    ///
    /// Every interface is looked at before the first is touched: a foreign program or a missing interface changes nothing. If
    /// the kernel refuses one nevertheless, those that were not attached before are not afterwards either.
    pub fn attach(&mut self, interfaces: &[String], mode: XdpMode) -> Result<Vec<Attachment>, Error> {
        check_interfaces(&self.pins, interfaces)?;
        let before = self.pins.linked_interfaces()?;
        let maps = self.pins.maps(self.generation);
        let mut predecessors = self.predecessors.take();
        if let Some(predecessors) = &mut predecessors {
            predecessors.hand_over(&maps)?;
        }
        let mut attachments = Vec::new();
        for name in interfaces {
            match self.attach_also(name, mode) {
                Ok(mode) => attachments.push(Attachment { interface: name.clone(), mode }),
                Err(error) => {
                    take_off_others(&self.pins, &before)?;
                    return Err(error);
                }
            }
        }
        take_off_others(&self.pins, interfaces)?;
        if let Some(predecessors) = predecessors {
            predecessors.catch_up(&maps)?;
        }
        self.pins.promote_program()?;
        // Nothing is on an interface any more that copies packets.
        vacated(self.pins.capture_stages())?;
        if self.generation == Generation::Next {
            self.pins.forget_previous()?;
            self.pins.promote_maps()?;
            self.generation = Generation::Current;
        }
        Ok(attachments)
    }

    /// Attaches to one interface more, or again to one that was made anew.
    pub fn attach_also(&mut self, interface: &str, mode: XdpMode) -> Result<Mode, Error> {
        let interface = look(&self.pins, interface)?;
        let attached = attach_program(&mut self.program, &self.pins, &interface, mode)?;
        info!(interface = interface.name, mode = ?attached, "the data plane is attached");
        Ok(attached)
    }
}

/// Attaches a program by a link that is pinned, or exchanges the program of the link that is.
pub(crate) fn attach_program(
    program: &mut Xdp,
    pins: &Pins,
    interface: &Interface,
    mode: XdpMode,
) -> Result<Mode, Error> {
    if let Some(attached) = interface.xdp
        && exchange(program, pins, interface)?
    {
        return Ok(attached.mode);
    }
    let mut link = |mode| pinned_link(program, pins, interface, mode);
    match mode {
        XdpMode::Native => link(Mode::Native).map_err(|source| no_native(interface, source)),
        XdpMode::Generic => link(Mode::Generic).map_err(|source| failed(interface, source)),
        XdpMode::Auto => match link(Mode::Native) {
            Err(ProgramError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) =>
            {
                warn!(
                    interface = interface.name,
                    "its driver has no XDP, so packets take the kernel's generic path, at several times the cost"
                );
                link(Mode::Generic).map_err(|source| failed(interface, source))
            }
            linked => linked.map_err(|source| failed(interface, source)),
        },
    }
}

/// Exchanges the program of this instance's pinned link, if it has one that is still attached.
pub(crate) fn exchange(program: &mut Xdp, pins: &Pins, interface: &Interface) -> Result<bool, Error> {
    let path = pins.link(&interface.name);
    if !path.exists() {
        return Ok(false);
    }
    let error = |source| Error::Link { interface: interface.name.clone(), source: Box::new(source) };
    let link = FdLink::from(PinnedLink::from_pin(&path).map_err(error)?);
    let link = XdpLink::try_from(link).map_err(error)?;
    match program.attach_to_link(link) {
        // The pin holds the link; what the program object would hold as well is let go.
        Ok(id) => {
            drop(program.take_link(id)?);
            Ok(true)
        }
        // The interface was removed and made anew: the old link has nothing to hold on to.
        Err(ProgramError::SyscallError(error))
            if error.io_error.raw_os_error() == Some(nix::libc::ENOLINK) =>
        {
            fs::remove_file(&path).map_err(Error::path(&path))?;
            Ok(false)
        }
        Err(source) => Err(failed(interface, source)),
    }
}

fn pinned_link(
    program: &mut Xdp,
    pins: &Pins,
    interface: &Interface,
    mode: Mode,
) -> Result<Mode, ProgramError> {
    let path = pins.link(&interface.name);
    // A pin whose link lost its interface would be in the way.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(ProgramError::IOError(error));
        }
        _ => {}
    }
    let aya_mode = match mode {
        Mode::Native => AyaMode::Driver,
        Mode::Generic => AyaMode::Skb,
    };
    attach_link(program, interface.index, aya_mode)?
        .pin(path)
        .map_err(|error| ProgramError::IOError(io::Error::other(error)))?;
    Ok(mode)
}

/// Attaches by a BPF link and nothing else: aya falls back to a netlink attachment, which would end with this process and
/// could replace another program.
pub(crate) fn attach_link(program: &mut Xdp, interface: u32, mode: AyaMode) -> Result<FdLink, ProgramError> {
    let id = program.attach_to_if_index(interface, mode)?;
    let link = program.take_link(id)?;
    FdLink::try_from(link).map_err(|error| ProgramError::IOError(io::Error::other(error)))
}

/// Takes the instance off all interfaces but these.
fn take_off_others(pins: &Pins, interfaces: &[String]) -> Result<(), Error> {
    for name in pins.linked_interfaces()? {
        if !interfaces.contains(&name) {
            let path = pins.link(&name);
            fs::remove_file(&path).map_err(Error::path(&path))?;
            info!(interface = name, "the data plane is off");
        }
    }
    Ok(())
}

/// Looks at interfaces without touching them: each is there, and has no XDP program but this instance's.
pub fn check_interfaces(pins: &Pins, interfaces: &[String]) -> Result<(), Error> {
    interfaces.iter().try_for_each(|name| look(pins, name).map(drop))
}

/// The interface of this name, which has no XDP program but this instance's.
pub(crate) fn look(pins: &Pins, name: &str) -> Result<Interface, Error> {
    let interface = Interface::named(name)?;
    let own = own_programs(pins);
    match interface.xdp {
        Some(attached) if !own.contains(&attached.id) => Err(Error::Foreign {
            interface: interface.name,
            program: program_name(attached.id),
            id: attached.id,
        }),
        _ => Ok(interface),
    }
}

/// Ids of the programs that the instance has pinned, and of those that its pinned links hold: a start that was cut short can
/// leave a program on an interface whose own pin the next start has replaced.
fn own_programs(pins: &Pins) -> Vec<u32> {
    let programs = [pins.program(), pins.next_program(), pins.previous_program()];
    let pinned = programs.iter().flat_map(ProgramInfo::from_pin).map(|info| info.id());
    let links = pins.linked_interfaces().unwrap_or_default();
    let held = links.iter().filter_map(|name| {
        let link = FdLink::from(PinnedLink::from_pin(pins.link(name)).ok()?);
        Some(link.info().ok()?.program_id())
    });
    pinned.chain(held).collect()
}

fn program_name(id: u32) -> String {
    loaded_programs()
        .flatten()
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn failed(interface: &Interface, source: ProgramError) -> Error {
    Error::Attach { interface: interface.name.clone(), source: Box::new(source) }
}

fn no_native(interface: &Interface, source: ProgramError) -> Error {
    match source {
        ProgramError::SyscallError(error) => {
            Error::NoNativeXdp { interface: interface.name.clone(), source: error.io_error }
        }
        source => failed(interface, source),
    }
}

/// How long the kernel may take to let go of a link whose last pin is gone.
const LETTING_GO: Duration = Duration::from_secs(2);

/// What an instance leaves behind when it is taken off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detached {
    /// The interfaces it was on.
    pub interfaces: Vec<String>,
    /// Index of the interface and MAC address of each next hop it had.
    pub next_hops: BTreeSet<(u32, [u8; 6])>,
}

/// Takes an instance off its interfaces and forgets its maps.
pub fn detach(pins: &Pins) -> Result<Detached, Error> {
    let interfaces = pins.linked_interfaces()?;
    // Maps that cannot be read, as those of another version, are to be got rid of all the same.
    let next_hops = maps::next_hops(pins).unwrap_or_default();
    let own = own_programs(pins);
    pins.remove()?;
    // The kernel takes the program off after the pin is gone, not with it.
    let deadline = Instant::now() + LETTING_GO;
    let attached = |name: &String| {
        Interface::named(name).is_ok_and(|found| found.xdp.is_some_and(|program| own.contains(&program.id)))
    };
    while interfaces.iter().any(attached) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(Detached { interfaces, next_hops })
}

/// Puts a program on an interface that hands every packet to the kernel, until the value is dropped.
///
/// A veth accepts what its peer sends by `XDP_TX` only when it has a program too; in setups made of veths this is that program.
pub fn attach_pass(interface: &str) -> Result<PassProgram, Error> {
    let index = Interface::named(interface)?.index;
    let mut object = Ebpf::load(object())?;
    let program: &mut Xdp = object.program_mut(PASS).ok_or(Error::Missing { name: PASS })?.try_into()?;
    program.load()?;
    let link = attach_link(program, index, AyaMode::Driver)
        .map_err(|source| Error::Attach { interface: interface.to_owned(), source: Box::new(source) })?;
    Ok(PassProgram { _link: link })
}

/// A program that hands every packet to the kernel; off when dropped.
#[derive(Debug)]
pub struct PassProgram {
    _link: FdLink,
}

//! Health checks through the data plane: the two programs that give a checker's packets the way of a client's, and bring the answers
//! back to it.
//!
//! Nothing of them is pinned, because checks end with the process that makes them. From Linux 6.6 on the kernel takes the programs
//! off with it. Before, they are filters of the interfaces' `clsact`, which a process that is killed leaves behind: they know no
//! flow any more, pass every packet, and go when the next one starts.

use std::collections::BTreeMap;
use std::fmt;

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData};
use aya::programs::tc::{SchedClassifierLink, TcError, qdisc_add_clsact, qdisc_detach_program};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};
use aya::util::KernelVersion;
use lightpath_abi::CheckedBackend;
use nix::net::if_::if_nametoindex;
use zerocopy::transmute;

use crate::Error;
use crate::object::CHECK_OBJECT;

const OUT: &str = "lightpath_check_out";
const IN: &str = "lightpath_check_in";
const CHECKED: &str = "CHECKED";
const DEVICE: &str = "CHECK_DEVICE";

/// A [`CheckedBackend`] as words.
type Words = [u64; 13];

/// The way of checks through the data plane, for as long as the value lives.
pub struct CheckWay {
    object: Ebpf,
    checked: HashMap<MapData, u32, Words>,
    /// What is in `checked`.
    known: BTreeMap<u32, CheckedBackend>,
    /// On the device that checks leave by, once there is one.
    leaving: Option<SchedClassifierLink>,
    /// Where answers are taken, with the index that the interface had then.
    listening: BTreeMap<String, (u32, SchedClassifierLink)>,
}

impl fmt::Debug for CheckWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckWay").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl CheckWay {
    /// Loads the programs. That takes a while, in which no check should be made by a device that nobody takes packets from.
    pub fn load() -> Result<Self, Error> {
        let mut object = Ebpf::load(CHECK_OBJECT)?;
        for name in [OUT, IN] {
            program(&mut object, name)?.load()?;
        }
        let map = object.take_map(CHECKED).ok_or(Error::Missing { name: CHECKED })?;
        let checked = HashMap::try_from(map).map_err(Error::map(CHECKED))?;
        Ok(Self { object, checked, known: BTreeMap::new(), leaving: None, listening: BTreeMap::new() })
    }

    /// Takes what leaves by the device that checks are bound to.
    pub fn leave_by(&mut self, device: &str) -> Result<(), Error> {
        let index = index_of(device)?;
        let map = self.object.map_mut(DEVICE).ok_or(Error::Missing { name: DEVICE })?;
        let mut map = Array::<_, u32>::try_from(map).map_err(Error::map(DEVICE))?;
        map.set(0, index, 0).map_err(Error::map(DEVICE))?;
        self.leaving = Some(attach(program(&mut self.object, OUT)?, device, TcAttachType::Egress)?);
        Ok(())
    }

    /// Says how marked packets reach their backends. Those of other marks are dropped.
    pub fn set(&mut self, wanted: BTreeMap<u32, CheckedBackend>) -> Result<(), Error> {
        for (mark, checked) in &wanted {
            if self.known.get(mark) != Some(checked) {
                let words: Words = transmute!(*checked);
                self.checked.insert(mark, words, 0).map_err(Error::map(CHECKED))?;
            }
        }
        for mark in self.known.keys().filter(|mark| !wanted.contains_key(mark)) {
            self.checked.remove(mark).map_err(Error::map(CHECKED))?;
        }
        self.known = wanted;
        Ok(())
    }

    /// Takes off what a process has left on interfaces that was killed, on a kernel where something stays.
    pub fn forget(interfaces: &[String]) {
        for name in interfaces {
            forget_filters(name);
        }
    }

    /// Takes answers where they come in: on these interfaces, and no others. One that is not there, or was made anew, is looked for
    /// again with the next call.
    pub fn listen_on<'a>(&mut self, interfaces: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let wanted: BTreeMap<&str, u32> =
            interfaces.filter_map(|name| Some((name, if_nametoindex(name).ok()?))).collect();
        self.listening.retain(|name, (index, _)| wanted.get(name.as_str()) == Some(index));
        for (name, index) in wanted {
            if !self.listening.contains_key(name) {
                let program = program(&mut self.object, IN)?;
                forget_filters(name);
                let link = attach(program, name, TcAttachType::Ingress)?;
                self.listening.insert(name.to_owned(), (index, link));
            }
        }
        Ok(())
    }
}

fn index_of(interface: &str) -> Result<u32, Error> {
    if_nametoindex(interface).map_err(|_| Error::NoInterface { name: interface.to_owned() })
}

fn program<'a>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut SchedClassifier, Error> {
    Ok(object.program_mut(name).ok_or(Error::Missing { name })?.try_into()?)
}

/// By a link of its own where the kernel has them, else as a filter.
fn attach(
    program: &mut SchedClassifier,
    interface: &str,
    direction: TcAttachType,
) -> Result<SchedClassifierLink, Error> {
    let failed =
        |source: ProgramError| Error::Attach { interface: interface.to_owned(), source: Box::new(source) };
    if !has_links() {
        match qdisc_add_clsact(interface) {
            Ok(()) => {}
            // It has one already, of another process or an earlier one.
            Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(nix::libc::EEXIST) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    let id = program.attach(interface, direction).map_err(failed)?;
    Ok(program.take_link(id)?)
}

/// Takes off what a process has left that was killed.
fn forget_filters(interface: &str) {
    if !has_links() {
        // There mostly is none; one that stays passes what it does not know.
        let _ = qdisc_detach_program(interface, TcAttachType::Ingress, IN);
    }
}

/// Whether traffic control has BPF links (kernel commit e420bed02507, 6.6).
fn has_links() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

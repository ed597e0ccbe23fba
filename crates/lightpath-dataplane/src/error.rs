use std::io;
use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;
use aya::maps::xdp::XdpMapError;
use aya::pin::PinError;
use aya::programs::ProgramError;
use aya::programs::links::LinkError;

/// What can go wrong between this process and the kernel; each names its object and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The BPF file system is not there.
    #[error("{path} is not on a BPF file system; run: mount -t bpf bpf /sys/fs/bpf")]
    NoBpffs {
        /// Where pins were to go.
        path: PathBuf,
    },
    /// Maps of another version of Lightpath, which cannot be migrated.
    #[error(
        "{path} holds maps of schema {found}, this program has schema {expected} and cannot migrate them; use the version that \
         made them, or take its data plane off with `lightpath detach`"
    )]
    Schema {
        /// The directory of pins.
        path: PathBuf,
        /// Their schema.
        found: u64,
        /// Ours.
        expected: u32,
    },
    /// A CPU cannot be given packets.
    #[error("packets cannot be spread over CPU {cpu}: {source}; correct `spread` in [node]")]
    Spread {
        /// Its number.
        cpu: u32,
        /// What the kernel said.
        source: XdpMapError,
    },
    /// There is no program to go back to.
    #[error(
        "no program is kept from before this one: it is the first, or came with tables of another size, which the one before \
         could not use"
    )]
    NoPrevious,
    /// The program before this one ran on maps of another schema.
    #[error(
        "the program before this one ran on maps of schema {found}, which have become maps of schema {expected}, and it cannot \
         use those; to go back to it, take the data plane off with `lightpath detach`, and start that version"
    )]
    PreviousSchema {
        /// The schema that it knew.
        found: u64,
        /// Ours.
        expected: u32,
    },
    /// The program before this one cannot do what is configured.
    #[error("the program before this one was made without what the configuration needs by now: {features}")]
    PreviousLacks {
        /// Names of features.
        features: String,
    },
    /// No such interface.
    #[error("there is no interface {name}; `ip link` lists those of this host")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Somebody else's XDP program is on the interface.
    #[error(
        "{interface} already has the XDP program {program:?} (id {id}) of another application, which is left alone; stop that \
         application, or take its program off with: ip link set dev {interface} xdp off"
    )]
    Foreign {
        /// The interface.
        interface: String,
        /// Name of the program.
        program: String,
        /// Its id.
        id: u32,
    },
    /// The driver cannot run XDP programs.
    #[error(
        "{interface} cannot run XDP in its driver ({source}); write xdp_mode = \"auto\" or \"generic\" to run it in the kernel's \
         generic path, at several times the cost per packet"
    )]
    NoNativeXdp {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Attaching failed.
    #[error("cannot attach to {interface}: {source}")]
    Attach {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: Box<ProgramError>,
    },
    /// The tables do not fit the maps.
    #[error("the {table} is full at {capacity} entries")]
    Full {
        /// Which table.
        table: &'static str,
        /// How many it holds.
        capacity: u32,
    },
    /// The kernel refused the object or one of its maps.
    #[error("cannot load the BPF object: {0}")]
    Object(#[source] Box<EbpfError>),
    /// The kernel refused the program.
    #[error(
        "the kernel refuses the XDP program: {0}; it needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and Linux 6.1"
    )]
    Program(#[source] Box<ProgramError>),
    /// A map could not be used.
    #[error("map {name}: {source}")]
    Map {
        /// Its name.
        name: String,
        /// What the kernel said.
        source: Box<MapError>,
    },
    /// What is in a map could not be carried over to the one that takes its place.
    #[error("map {name} cannot be carried over: {source}")]
    Values {
        /// Its name.
        name: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A map could not be made memory of this process.
    #[error("map {name} cannot be mapped into memory: {source}")]
    Mapping {
        /// Its name.
        name: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A link could not be used.
    #[error("the XDP link of {interface}: {source}")]
    Link {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: Box<LinkError>,
    },
    /// A pin could not be made.
    #[error("cannot pin {path}: {source}")]
    Pin {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: Box<PinError>,
    },
    /// A file could not be used.
    #[error("{path}: {source}")]
    Path {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel did not tell which maps the running program uses.
    #[error("cannot ask the kernel which maps the running program uses: {source}")]
    Uses {
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel did not answer about an interface.
    #[error("cannot ask the kernel about interface {interface}: {source}")]
    Netlink {
        /// Which.
        interface: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The kernel does not take the time of programs.
    #[error(
        "the kernel does not take the time of BPF programs: {source}; it can since Linux 5.8, with CAP_SYS_ADMIN"
    )]
    Accounting {
        /// What the kernel said.
        source: io::Error,
    },
    /// A file has no such program.
    #[error("{path} has no program {name:?}; it has: {names}")]
    NoProgram {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        names: String,
    },
    /// Something is missing from the embedded object, which the build should have made impossible.
    #[error("the embedded BPF object has no {name}; this binary was built wrong")]
    Missing {
        /// Which map or program.
        name: &'static str,
    },
}

impl Error {
    pub(crate) fn path(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Path { path: path.to_owned(), source }
    }

    pub(crate) fn map(name: &str) -> impl FnOnce(MapError) -> Self {
        move |source| Self::Map { name: name.to_owned(), source: Box::new(source) }
    }
}

impl From<ProgramError> for Error {
    fn from(source: ProgramError) -> Self {
        Self::Program(Box::new(source))
    }
}

impl From<EbpfError> for Error {
    fn from(source: EbpfError) -> Self {
        Self::Object(Box::new(source))
    }
}

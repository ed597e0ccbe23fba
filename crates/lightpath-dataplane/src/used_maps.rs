//! Which maps a program uses: those that its code does, and those that are bound to it.
//!
//! aya asks for the program by its id first, which the kernel allows with CAP_SYS_ADMIN only. By a descriptor, CAP_BPF is enough.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;

/// `BPF_OBJ_GET_INFO_BY_FD` of uapi/linux/bpf.h.
const GET_INFO_BY_FD: libc::c_int = 15;
/// More than any program of ours uses.
const MOST: usize = 64;

/// The member of `union bpf_attr` for this command.
#[repr(C)]
struct Question {
    descriptor: u32,
    info_length: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`; the kernel fills as much as there is room for.
#[derive(Default)]
#[repr(C)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_length: u32,
    translated_length: u32,
    jited: u64,
    translated: u64,
    load_time: u64,
    user: u32,
    map_count: u32,
    map_ids: u64,
}

const _: () = assert!(size_of::<Question>() == 16 && size_of::<Info>() == 64);

/// Ids of the maps that a program uses.
pub(crate) fn map_ids(program: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; MOST];
    let mut info =
        Info { map_count: 64, map_ids: (&raw mut ids).expose_provenance() as u64, ..Info::default() };
    let mut question = Question {
        descriptor: program.as_raw_fd().cast_unsigned(),
        info_length: 64,
        info: (&raw mut info).expose_provenance() as u64,
    };
    #[expect(unsafe_code, reason = "bpf(2) has no wrapper, and aya's takes another way")]
    // SAFETY: the length is that of `question`; it and what it points to, `info` of the length it says and through that `ids` of 64
    // entries, are live and writable, and the kernel writes nothing beyond them.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, GET_INFO_BY_FD, &raw mut question, size_of::<Question>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // How many there are, which may be more than were written.
    let count = info.map_count as usize;
    ids.get(..count)
        .map(<[u32]>::to_vec)
        .ok_or_else(|| io::Error::other(format!("a program of {count} maps")))
}

/// `BPF_PROG_BIND_MAP` (since Linux 5.10, ef15314aa5de).
const BIND_MAP: libc::c_int = 35;

/// The member of `union bpf_attr` for it.
#[repr(C)]
struct Binding {
    program: u32,
    map: u32,
    flags: u32,
}

/// Has a program use a map that its code does not mention.
pub(crate) fn bind(program: impl AsFd, map: impl AsFd) -> io::Result<()> {
    let descriptor = |fd: BorrowedFd<'_>| fd.as_raw_fd().cast_unsigned();
    let mut binding =
        Binding { program: descriptor(program.as_fd()), map: descriptor(map.as_fd()), flags: 0 };
    #[expect(unsafe_code, reason = "bpf(2) has no wrapper, and aya has none for this command")]
    // SAFETY: the length is that of `binding`, which is live, and the kernel only reads it.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, BIND_MAP, &raw mut binding, size_of::<Binding>()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

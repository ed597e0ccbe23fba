use std::path::Path;

use anyhow::{Context, Result};
use lightpath_control::host::sysctl;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::sys::utsname::uname;

use crate::doctor::finding::Finding;
use crate::doctor::fix::Fix;
use crate::doctor::surroundings::Surroundings;

/// The oldest kernel that the tests run on.
const OLDEST: (u32, u32) = (6, 1);
const BPFFS: &str = "/sys/fs/bpf";

/// The kernel's version, compiler for BPF, types, and BPF file system.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let name = uname().context("uname")?;
    let release = name.release().to_string_lossy();
    let mut findings = vec![version(&release)];

    match sysctl::read("net/core/bpf_jit_enable").as_deref() {
        Ok("0") => findings.push(
            Finding::warning(
                "BPF compiler",
                "it is switched off",
                "programs are interpreted, at ten times the cost a packet",
            )
            .fix(Fix::Sysctl { path: "net/core/bpf_jit_enable".to_owned(), value: "1" }),
        ),
        Ok(_) => findings.push(Finding::ok("BPF compiler", "on")),
        // Only the host's own network namespace has it; a kernel that always compiles has it nowhere.
        Err(_) => findings.push(Finding::ok("BPF compiler", "not switchable from this network namespace")),
    }
    findings.push(if Path::new("/sys/kernel/btf/vmlinux").exists() {
        Finding::ok("kernel types", "BTF is there")
    } else {
        let why = "Lightpath runs without them, but bpftool and other tools cannot show what its maps hold";
        Finding::hint("kernel types", "this kernel has no BTF (/sys/kernel/btf/vmlinux)", why)
            .mend("run a kernel that was built with CONFIG_DEBUG_INFO_BTF")
    });
    findings.push(file_system(around.instance.pins.directory()));
    Ok(findings)
}

fn version(release: &str) -> Finding {
    let mut parts =
        release.split(|letter: char| !letter.is_ascii_digit()).map_while(|part| part.parse().ok());
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= OLDEST {
        return Finding::ok("kernel", format_args!("Linux {release}"));
    }
    let (major, minor) = OLDEST;
    let why = "the program is tested on that and later ones; an older verifier may refuse it";
    Finding::warning("kernel", format_args!("Linux {release} is older than {major}.{minor}"), why)
        .mend(format_args!("run Linux {major}.{minor} or later"))
}

/// The file system that pins go to.
fn file_system(pins: &Path) -> Finding {
    let existing = pins.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    if statfs(existing).is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC) {
        return Finding::ok("BPF file system", existing.display());
    }
    let why =
        "the data plane is pinned there, which is why it outlives its daemon; without it there is no start";
    let what = format!("{} is not on one", pins.display());
    let finding = Finding::error("BPF file system", what, why);
    if pins.starts_with(BPFFS) && Path::new(BPFFS).exists() {
        finding.fix(Fix::MountBpffs(BPFFS.into()))
    } else {
        finding.mend("name a directory on one: --bpf-dir /sys/fs/bpf/lightpath")
    }
}

#[cfg(test)]
mod tests {
    use super::version;
    use crate::doctor::finding::Severity;

    #[test]
    fn kernels_are_told_apart_by_number() {
        let rows = [
            ("6.1.0-37-amd64", Severity::Ok),
            ("6.18", Severity::Ok),
            ("10.0-rc1", Severity::Ok),
            ("6.0.19", Severity::Warning),
            ("5.15.0-91-generic", Severity::Warning),
            ("nonsense", Severity::Warning),
        ];
        for (release, expected) in rows {
            assert_eq!(version(release).severity, expected, "{release}");
        }
    }
}

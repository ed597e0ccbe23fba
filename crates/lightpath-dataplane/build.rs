//! Compiles the BPF programs, to be embedded by `src/object.rs`.
//!
//! BPF needs a `core` library for its target. Two toolchains have one: Debian's (package `libstd-rust-web-dev-bpf`, stable,
//! prebuilt), and rustup's nightly with `rust-src` (built on the way). The first that is found is used.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

const TARGET: &str = "bpfel-unknown-none";
const PACKAGE: &str = "lightpath-ebpf";

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let workspace = manifest.join("../..");
    for crate_name in ["lightpath-ebpf", "lightpath-core", "lightpath-abi"] {
        for part in ["src", "Cargo.toml"] {
            println!(
                "cargo:rerun-if-changed={}",
                workspace.join("crates").join(crate_name).join(part).display()
            );
        }
    }
    println!("cargo:rerun-if-changed={}", workspace.join("Cargo.lock").display());
    println!("cargo:rerun-if-env-changed=LIGHTPATH_BPF_TOOLCHAIN");
    println!("cargo:rerun-if-env-changed=PATH");

    let output = PathBuf::from(variable("OUT_DIR"));
    // Beside `build/PACKAGE-HASH/out`: tests, lints and the binary each have a hash of their own, and compile the programs once.
    let target_directory = output.ancestors().nth(3).unwrap_or(&output).join("bpf");
    let mut build = toolchain().command();
    build
        .current_dir(&workspace)
        .args([
            "build",
            "--release",
            "--quiet",
            "--locked",
            "--package",
            PACKAGE,
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(&target_directory)
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker())
        // All need inline assembly on a stable compiler, the one unstable feature there is.
        .env("RUSTC_BOOTSTRAP", "aya_ebpf,lightpath_ebpf,lightpath_capture_ebpf,lightpath_spread_ebpf")
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags().join("\x1f"));
    for name in [
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "RUSTDOC",
        "CARGO_BUILD_TARGET",
        "CLIPPY_ARGS",
    ] {
        build.env_remove(name);
    }
    let status = build.status().unwrap_or_else(|error| fail(&format!("cannot run {build:?}: {error}")));
    if !status.success() {
        fail(&format!("the BPF programs do not build ({status}); the command was {build:?}"));
    }
    for program in [
        "lightpath-ebpf",
        "lightpath-capture-ebpf",
        "lightpath-spread-ebpf",
        "lightpath-bench-ebpf",
        "lightpath-decap-ebpf",
        "lightpath-check-ebpf",
    ] {
        let object = target_directory.join(TARGET).join("release").join(program);
        embed(&object, &output.join(program).with_extension("o"))
            .unwrap_or_else(|error| fail(&format!("cannot embed {}: {error}", object.display())));
    }
}

/// Copies an object without its DWARF, nine tenths of it, from which the linker made the BTF that the kernel reads.
fn embed(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let data = fs::read(from)?;
    let mut object = Builder::read(&*data)?;
    for section in &mut object.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    // LLVM keeps the names of sections with those of symbols, which this crate does not do.
    let names = object.sections.add();
    names.name = b".shstrtab".as_slice().into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    object.write(&mut stripped)?;
    Ok(fs::write(to, stripped)?)
}

fn rust_flags() -> Vec<&'static str> {
    vec![
        // Version 3 of the instruction set has 32-bit operations and is in every kernel since 5.1; version 4 needs 6.6.
        "-Ctarget-cpu=v3",
        "-Clink-arg=--btf",
        // Without it LLVM loads unaligned fields byte by byte; x86-64 and aarch64 load them whole.
        "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
        "-Cdebuginfo=2",
    ]
}

enum Toolchain {
    /// Debian's compiler, with a prebuilt `core` for BPF.
    Debian,
    /// rustup's nightly, which builds `core` from `rust-src`.
    Nightly,
}

impl Toolchain {
    fn command(&self) -> Command {
        match self {
            Self::Debian => {
                let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                command.env("RUSTC", "/usr/bin/rustc").env_remove("RUSTUP_TOOLCHAIN");
                command
            }
            Self::Nightly => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo", "-Zbuild-std=core"]);
                command.env_remove("RUSTC").env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        }
    }
}

/// The toolchain to use; `LIGHTPATH_BPF_TOOLCHAIN=debian|nightly` chooses where both are installed.
fn toolchain() -> Toolchain {
    let wanted = env::var("LIGHTPATH_BPF_TOOLCHAIN").ok();
    let debian = Path::new("/usr/lib/rustlib").join(TARGET).is_dir();
    match wanted.as_deref() {
        Some("debian") => Toolchain::Debian,
        Some("nightly") => Toolchain::Nightly,
        Some(other) => fail(&format!("LIGHTPATH_BPF_TOOLCHAIN is {other:?}; write debian or nightly")),
        None if debian => Toolchain::Debian,
        None if nightly_has_source() => Toolchain::Nightly,
        None => fail(
            "no Rust toolchain for BPF is installed. On Debian 12 or later run scripts/setup. Elsewhere install rustup, \
             then: rustup toolchain install nightly --component rust-src, and cargo install bpf-linker",
        ),
    }
}

fn nightly_has_source() -> bool {
    let sysroot = Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]).output();
    sysroot.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout);
        Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir()
    })
}

/// bpf-linker, from PATH or from where `cargo install` puts programs.
fn linker() -> PathBuf {
    let mut directories: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    directories.extend(env::var_os("CARGO_HOME").map(|home| PathBuf::from(home).join("bin")));
    directories.extend(env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/bin")));
    directories
        .into_iter()
        .map(|directory| directory.join("bpf-linker"))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            fail("bpf-linker is not installed; run scripts/setup, or: cargo install bpf-linker")
        })
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| fail(&format!("cargo did not set {name}: {error}")))
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    std::process::exit(1)
}

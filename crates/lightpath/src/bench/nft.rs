//! Rules of nftables, for systems that are the kernel's own.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use lightpath_lab::Namespace;

/// Loads rules in a namespace.
pub(super) fn load(host: &Namespace, rules: &str) -> Result<()> {
    let mut nft = host
        .command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run nft")?;
    if let Some(mut input) = nft.stdin.take() {
        input.write_all(rules.as_bytes())?;
    }
    let output = nft.wait_with_output()?;
    ensure!(
        output.status.success(),
        "nft refuses the rules: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

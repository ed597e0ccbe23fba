//! The report as a page: of the documentation, in Markdown with pictures beside it, or for a browser, in one file.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::sheet::escape;
use super::{Machine, Report};

/// What no figure of a report shows.
const NOT_SHOWN: &[&str] = &[
    "No physical network card: no driver, no DMA, no receive queues, no cache misses on a packet that a card has just written. \
     Packets cross virtual links (veth), or no link at all.",
    "One CPU. How the load spreads over many depends on a card's queues, which are not there.",
    "Time on the host's clock: where the machine is virtual, its host's other work is in every figure. Compare rows of one run; \
     never compare absolute times of two machines or two days.",
    "The packet is the shortest that Ethernet carries, and its payload is never touched.",
];

impl Report {
    /// Writes a page in Markdown, and its pictures beside it as `NAME-PLOT.svg`.
    pub(in crate::bench) fn write_markdown(&self, file: &Path) -> Result<()> {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut text = "# Benchmarks\n\n".to_owned();
        let _ = writeln!(text, "{}\n", introduction(&self.machine, &self.command));
        for section in self.sections() {
            let _ =
                writeln!(text, "## {}\n\n{}\n\n{}", section.title, section.about, section.sheet.markdown());
            for note in &section.notes {
                let _ = writeln!(text, "{note}\n");
            }
            for plot in &section.plots {
                let picture = format!("{stem}-{}.svg", plot.name);
                write(&file.with_file_name(&picture), &plot.svg()?)?;
                let _ = writeln!(text, "![{}]({picture})\n", plot.title);
            }
        }
        text.push_str("## What this does not show\n\n");
        for line in NOT_SHOWN {
            let _ = writeln!(text, "- {line}");
        }
        write(file, &text)
    }

    /// Writes a page for a browser, with its pictures inside.
    pub(in crate::bench) fn write_html(&self, file: &Path) -> Result<()> {
        let mut body = format!("<p>{}</p>\n", prose(&introduction(&self.machine, &self.command)));
        for section in self.sections() {
            let _ = writeln!(body, "<h2>{}</h2>\n<p>{}</p>", escape(&section.title), prose(&section.about));
            for plot in &section.plots {
                let _ = writeln!(body, "<figure>{}</figure>", plot.svg()?);
            }
            body.push_str(&section.sheet.html());
            for note in &section.notes {
                let _ = writeln!(body, "<p>{}</p>", prose(note));
            }
        }
        body.push_str("<h2>What this does not show</h2>\n<ul>\n");
        for line in NOT_SHOWN {
            let _ = writeln!(body, "<li>{}</li>", prose(line));
        }
        body.push_str("</ul>\n");
        write(file, &format!("{HEAD}{body}</html>\n"))
    }
}

const HEAD: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Lightpath: benchmarks</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
  table { border-collapse: collapse; margin: 1rem 0; }
  th, td { padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; border-bottom: 1px solid #ddd; }
  .number { text-align: right; font-variant-numeric: tabular-nums; }
  figure { margin: 1rem 0; }
  figure svg { max-width: 100%; height: auto; }
</style>
<h1>Lightpath: benchmarks</h1>
";

/// Text as it stands in HTML, with what is between backticks as code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.fold(String::new(), |html, (place, part)| {
        let part = escape(part);
        if place % 2 == 0 { html + &part } else { html + "<code>" + &part + "</code>" }
    })
}

fn introduction(machine: &Machine, command: &str) -> String {
    let Machine {
        date,
        version,
        kernel,
        architecture,
        processor,
        cpus,
        memory_mib,
        system,
        is_virtual,
        debug_build,
    } = machine;
    let build = if *debug_build { " (a debug build)" } else { "" };
    let kind = if *is_virtual { "a virtual machine" } else { "a physical machine" };
    format!(
        "Measured on {date} by `{command}`, with Lightpath {version}{build} on {kind}: {cpus} CPUs of {processor}, {} GiB, Linux {kernel} \
         ({architecture}), {system}. The page is written by the benchmark itself; run it on your own hardware.",
        (memory_mib + 512) / 1024
    )
}

/// Writes a file, in a directory that is made if it is not there.
pub(in crate::bench) fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_backticks_is_code() {
        assert_eq!(prose("by `a < b`, so"), "by <code>a &lt; b</code>, so");
    }
}

//! `lightpath capture`: packets as the data plane sees them, for Wireshark and its like.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::api::{self, Ended};
use crate::cli::Capture;
use crate::instance::Instance;

/// Writes packets until there are enough, or the reader has seen enough.
pub(crate) fn run(instance: &Instance, options: &Capture, json: bool) -> Result<ExitCode> {
    let request = serde_json::to_string(&options.wanted)?;
    let to = options.write.display();
    let mut file = open(&options.write).with_context(|| to.to_string())?;
    let ended = api::stream(&instance.place, "/v1/capture", request, |piece| {
        file.write_all(piece).and_then(|()| file.flush())
    });
    let Ended { captured, lost } = match ended {
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        ended => ended?,
    };
    // The packets may be on standard output.
    if json {
        eprintln!("{}", serde_json::json!({ "captured": captured, "lost": lost }));
    } else {
        let packets =
            |count: u64| if count == 1 { "1 packet".to_owned() } else { format!("{count} packets") };
        let hint =
            if lost == 0 { "" } else { "; ask for fewer with --every, a filter, or a smaller --snaplen" };
        eprintln!("{} captured, {lost} lost{hint}", packets(captured));
    }
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> io::Result<Box<dyn Write>> {
    if path == Path::new("-") { Ok(Box::new(io::stdout())) } else { Ok(Box::new(File::create(path)?)) }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::status::absent;
use crate::api;
use crate::cli::Explain;
use crate::explanation::Explanation;
use crate::instance::Instance;
use crate::output::{print, print_line};

/// `lightpath explain`: what the running data plane would do with a packet. Exit 1 when it would not reach anybody.
pub(crate) fn run(instance: &Instance, flow: &Explain, json: bool) -> Result<ExitCode> {
    if flow.src.is_ipv4() != flow.dst.is_ipv4() {
        bail!("--src {} and --dst {} are of different families", flow.src, flow.dst);
    }
    let Explain { src, dst, proto, syn } = flow;
    let proto = serde_json::to_value(proto)?;
    let proto = proto.as_str().unwrap_or_default();
    let path = format!("/v1/explain?src={src}&dst={dst}&proto={proto}&syn={syn}");
    let body = api::get(&instance.socket, &path).with_context(|| absent(instance))?;
    let explanation: Explanation = serde_json::from_str(&body).context("the daemon is of another version")?;
    if json {
        print_line(body)?;
    } else {
        print(&explanation)?;
    }
    Ok(if explanation.verdict == "drop" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

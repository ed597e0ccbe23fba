//! The older text format (version 0.0.4), for those who do not ask for OpenMetrics but for `text/plain`: in it the type is that of
//! the samples' name, there are neither units nor infos, and no end.

use super::metric::Kind;
use super::{Metric, SECTIONS};

/// How the format is named.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether somebody who accepts these media types (RFC 9110, section 12.5.1) knows this format only.
pub(super) fn is_asked_for(accept: &str) -> bool {
    let mut types = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    let knows = |name: &str| types.clone().any(|known| known.eq_ignore_ascii_case(name));
    let is_classic = knows("text/plain") && !knows("application/openmetrics-text");
    is_classic && !types.any(|known| known == "*/*")
}

/// What OpenMetrics says, in this format.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    for line in text.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        classic += &head(line).unwrap_or_else(|| line.to_owned());
        classic.push('\n');
    }
    classic
}

/// A line of help or type, by the name that the samples have.
fn head(line: &str) -> Option<String> {
    let (what, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (family, rest) = rest.split_once(' ')?;
    let metric = SECTIONS
        .into_iter()
        .flat_map(|(_, metrics)| metrics)
        .find(|metric| metric.full_name().strip_suffix(suffix(metric)) == Some(family))?;
    let rest = match (what, metric.kind) {
        ("TYPE", Kind::Info) => "gauge",
        _ => rest,
    };
    Some(format!("# {what} {} {rest}", metric.full_name()))
}

/// What the type adds to a name.
fn suffix(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_nothing_newer_gets_it() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/plain", true),
            ("Text/Plain; version=0.0.4", true),
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false),
            ("text/html, text/plain;q=0.5", true),
        ] {
            assert_eq!(is_asked_for(accept), expected, "{accept}");
        }
    }

    #[test]
    fn names_and_types_are_those_of_the_samples() {
        let open = "# HELP lightpath_backend_packets Packets\n# TYPE lightpath_backend_packets counter\n\
                    lightpath_backend_packets_total{service=\"web\"} 7\n# HELP lightpath_build Version.\n# TYPE lightpath_build info\n\
                    lightpath_build_info{version=\"1\"} 1\n# TYPE lightpath_program_size_bytes gauge\n\
                    # UNIT lightpath_program_size_bytes bytes\nlightpath_program_size_bytes 9\n# EOF\n";
        let classic = "# HELP lightpath_backend_packets_total Packets\n# TYPE lightpath_backend_packets_total counter\n\
                       lightpath_backend_packets_total{service=\"web\"} 7\n# HELP lightpath_build_info Version.\n\
                       # TYPE lightpath_build_info gauge\nlightpath_build_info{version=\"1\"} 1\n\
                       # TYPE lightpath_program_size_bytes gauge\nlightpath_program_size_bytes 9\n";
        assert_eq!(from_open_metrics(open), classic);
    }
}

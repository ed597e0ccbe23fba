//! Figures as pictures, in SVG.

use std::fmt::Display;
use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::bench) struct Plot {
    /// Its name among all of a report, fit for a file.
    pub(in crate::bench) name: &'static str,
    /// Its heading.
    pub(in crate::bench) title: String,
    /// What it shows.
    pub(in crate::bench) chart: Chart,
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::bench) enum Chart {
    /// Lines through points; the horizontal axis is logarithmic.
    Lines { x: &'static str, y: &'static str, series: Vec<Series> },
    /// A bar for each name.
    Bars { unit: &'static str, bars: Vec<(String, f64)> },
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::bench) struct Series {
    /// What it is of.
    pub(in crate::bench) name: String,
    /// From left to right.
    pub(in crate::bench) points: Vec<(f64, f64)>,
}

const WIDTH: u32 = 860;
const HEIGHT: u32 = 440;
/// Height of a bar, and of what is around all of them.
const BAR: u32 = 30;
const AROUND_BARS: u32 = 100;
/// Room on the left for the names of bars.
const NAMES: u32 = 230;
/// A line of so many points is a curve.
const MANY: usize = 20;
const FONT: &str = "sans-serif";
/// Told apart also by those who see red and green alike (Okabe and Ito's palette).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

impl Plot {
    /// The picture, a whole SVG document.
    pub(in crate::bench) fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        match &self.chart {
            Chart::Lines { x, y, series } => self.lines(&mut svg, [x, y], series)?,
            Chart::Bars { unit, bars } => self.bars(&mut svg, unit, bars)?,
        }
        Ok(svg)
    }

    fn lines(&self, svg: &mut String, [x, y]: [&str; 2], series: &[Series]) -> Result<()> {
        let points = || series.iter().flat_map(|series| &series.points);
        let highest = points().map(|point| point.1).fold(1.0, f64::max) * 1.1;
        let smallest = points().map(|point| point.0.log2()).fold(f64::INFINITY, f64::min);
        let largest = points().map(|point| point.0.log2()).fold(f64::NEG_INFINITY, f64::max);
        // A few points are what was measured; many are a curve.
        let (mark, legend) = if points().count() < MANY * series.len() {
            (3, SeriesLabelPosition::UpperLeft)
        } else {
            (0, SeriesLabelPosition::LowerRight)
        };
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE).map_err(undrawn)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, (FONT, 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(smallest..largest, 0.0..highest)
            .map_err(undrawn)?;
        chart
            .configure_mesh()
            .x_desc(x)
            .y_desc(y)
            .x_labels(11)
            .x_label_formatter(&|exponent| power_of_two(*exponent))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .max_light_lines(0)
            .label_style((FONT, 13))
            .draw()
            .map_err(undrawn)?;
        for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
            let points = series.points.iter().map(|point| (point.0.log2(), point.1));
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points, style).point_size(mark))
                .map_err(undrawn)?
                .label(&series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(legend)
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .label_font((FONT, 13))
            .draw()
            .map_err(undrawn)?;
        root.present().map_err(undrawn)
    }

    #[expect(clippy::cast_precision_loss, reason = "a few bars")]
    fn bars(&self, svg: &mut String, unit: &str, bars: &[(String, f64)]) -> Result<()> {
        let count = bars.len() as f64;
        let highest = bars.iter().map(|bar| bar.1).fold(0.0, f64::max) * 1.15;
        let height = AROUND_BARS + BAR * u32::try_from(bars.len())?;
        let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(undrawn)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, (FONT, 20))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(NAMES)
            .build_cartesian_2d(0.0..highest.max(f64::MIN_POSITIVE), Names { names: bars, range: 0.0..count })
            .map_err(undrawn)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_desc(unit)
            .x_label_formatter(&|value| short(*value))
            .max_light_lines(0)
            .label_style((FONT, 13))
            .draw()
            .map_err(undrawn)?;
        let blocks = bars.iter().enumerate().map(|(place, (_, value))| {
            let top = count - place as f64;
            Rectangle::new([(0.0, top - 0.2), (*value, top - 0.8)], COLOURS[0].filled())
        });
        chart.draw_series(blocks).map_err(undrawn)?;
        let values = bars.iter().enumerate().map(|(place, (_, value))| {
            Text::new(format!(" {}", short(*value)), (*value, count - place as f64 - 0.35), (FONT, 13))
        });
        chart.draw_series(values).map_err(undrawn)?;
        root.present().map_err(undrawn)
    }
}

/// The vertical axis of bars: the first on top, each named in its middle.
struct Names<'a> {
    names: &'a [(String, f64)],
    range: Range<f64>,
}

impl Ranged for Names<'_> {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<Hint: plotters::coord::ranged1d::KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        std::iter::successors(Some(0.5), |middle| Some(middle + 1.0)).take(self.names.len()).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Names<'_> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the middle of one of a few bars"
    )]
    fn format_ext(&self, value: &f64) -> String {
        let from_bottom = *value as usize;
        self.names.iter().rev().nth(from_bottom).map_or_else(String::new, |(name, _)| name.clone())
    }
}

/// A number in few letters.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2}M", value / 1e6),
        value if value >= 1e4 => format!("{:.0}k", value / 1e3),
        value if value >= 1e3 => format!("{:.1}k", value / 1e3),
        value if value >= 10.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

/// 2 to a power, in few letters.
fn power_of_two(exponent: f64) -> String {
    match exponent {
        exponent if exponent >= 20.0 => format!("{:.0}M", (exponent - 20.0).exp2()),
        exponent if exponent >= 10.0 => format!("{:.0}k", (exponent - 10.0).exp2()),
        exponent => format!("{:.0}", exponent.exp2()),
    }
}

fn undrawn(error: impl Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_in_the_picture() {
        let series = |name: &str, high| Series {
            name: name.to_owned(),
            points: vec![(1.0, 40.0), (65_536.0, high), (1_048_576.0, high * 2.0)],
        };
        let plot = Plot {
            name: "flows",
            title: "By flows".to_owned(),
            chart: Chart::Lines {
                x: "flows",
                y: "ns",
                series: vec![series("one", 60.0), series("other", 90.0)],
            },
        };
        let svg = plot.svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for text in ["By flows", "one", "other", "64k", "1M"] {
            assert!(svg.lines().any(|line| line.trim() == text), "{text} is not in {svg}");
        }
        assert!(svg.matches("<polyline").count() >= 2, "{svg}");
    }

    #[test]
    fn bars_are_named_and_as_long_as_their_values() {
        let bars = vec![("fast".to_owned(), 2_000_000.0), ("slow".to_owned(), 500_000.0)];
        let plot =
            Plot { name: "rate", title: "Rate".to_owned(), chart: Chart::Bars { unit: "packets/s", bars } };
        let svg = plot.svg().unwrap();
        for text in ["fast", "slow", "2.00M", "500k"] {
            assert!(svg.lines().any(|line| line.trim() == text), "{text} is not in {svg}");
        }
        let widths: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<rect") && line.contains("#0072B2"))
            .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 2, "{svg}");
        assert!((widths[0] / widths[1] - 4.0).abs() < 0.1, "{widths:?}");
    }
}

//! What can be looked at, each as a table.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, Table};

use super::app::App;
use super::draw::prose;
use crate::drops::Dropped;
use crate::status::{BackendStatus, ServiceStatus};

/// Rows for what is said of the selected line.
const ABOUT: u16 = 6;

/// All services.
pub(super) fn services(frame: &mut Frame<'_>, area: Rect, app: &mut App) {
    let rows: Vec<Row<'_>> = app.services().iter().map(service).collect();
    let widths = [Constraint::Min(16), Constraint::Length(26), Constraint::Length(7), Constraint::Length(5)];
    let widths = widths.into_iter().chain([Constraint::Length(10), Constraint::Length(10)]);
    let head =
        [left("service"), left("address"), left("mode"), left("up"), right("packets/s"), right("dropped")];
    table(frame, area, app, rows, widths, head);
}

fn service(service: &ServiceStatus) -> Row<'static> {
    let up = service.backends.iter().filter(|backend| backend.state == "up").count();
    let address = match service.vip {
        std::net::IpAddr::V4(vip) => vip.to_string(),
        std::net::IpAddr::V6(vip) => format!("[{vip}]"),
    };
    let color = match up {
        0 => Color::Red,
        up if up < service.backends.len() => Color::Yellow,
        _ => Color::Green,
    };
    Row::new([
        left(&service.name),
        left(&format!("{address}:{}/{}", service.port, service.protocol)),
        left(&service.forward),
        left(&format!("{up}/{}", service.backends.len())).fg(color),
        right(&format!("{:.0}", service.packets_per_second)),
        right(&service.dropped.to_string()),
    ])
}

/// The backends of a service, and why the selected one is as it is.
pub(super) fn backends(frame: &mut Frame<'_>, area: Rect, app: &mut App, name: &str) {
    let backends = app.backends();
    let [list, about] = Layout::vertical([Constraint::Min(3), Constraint::Length(ABOUT)]).areas(area);
    let rows = backends.iter().map(backend).collect();
    let widths = [Constraint::Min(24), Constraint::Length(11), Constraint::Length(5), Constraint::Length(7)];
    let widths =
        widths.into_iter().chain([Constraint::Length(9), Constraint::Length(6), Constraint::Length(7)]);
    let title = format!("{name}: backend");
    let head = [
        left(&title),
        left("state"),
        right("share"),
        right("weight"),
        right("packets/s"),
        right("flows"),
        right("check"),
    ];
    table(frame, list, app, rows, widths, head);
    // Of those that are not up, all of what can be said fits nowhere else.
    let causes: Vec<String> = backends.iter().filter_map(cause).collect();
    frame.render_widget(prose(&causes.join("\n")), about);
}

fn backend(backend: &BackendStatus) -> Row<'static> {
    let check =
        backend.check_seconds.map_or_else(String::new, |seconds| format!("{:.1} ms", seconds * 1000.0));
    Row::new([
        left(&backend.endpoint()),
        left(&backend.state).fg(color(&backend.state)),
        right(&format!("{:.1}%", backend.share * 100.0)),
        right(&backend.weight.to_string()),
        right(&format!("{:.0}", backend.packets_per_second)),
        right(&backend.flows.to_string()),
        right(&check),
    ])
}

fn cause(backend: &BackendStatus) -> Option<String> {
    (backend.state != "up").then(|| format!("{} is {}", backend.endpoint(), backend.standing()))
}

fn color(state: &str) -> Color {
    match state {
        "up" => Color::Green,
        "draining" => Color::Blue,
        "down" => Color::Red,
        _ => Color::Yellow,
    }
}

/// What was dropped, and what to do about the selected reason.
pub(super) fn drops(frame: &mut Frame<'_>, area: Rect, app: &mut App) {
    let drops = Dropped::all(&app.status);
    let lines = if drops.iter().any(|dropped| dropped.example.is_some()) { 2 * ABOUT } else { ABOUT };
    let [list, about] = Layout::vertical([Constraint::Min(3), Constraint::Length(lines)]).areas(area);
    let rows = drops.iter().map(|dropped| {
        let (count, rate) = (dropped.count.to_string(), format!("{:.0}", dropped.per_second));
        Row::new([left(&dropped.reason), right(&count), right(&rate)])
    });
    let widths = [Constraint::Length(20), Constraint::Length(20), Constraint::Length(11)];
    table(frame, list, app, rows.collect(), widths, [left("reason"), right("dropped"), right("per second")]);
    let text = match app.selected.selected().and_then(|index| drops.get(index)) {
        Some(Dropped { meaning, remedy, example: None, .. }) => format!("{meaning} {remedy}"),
        Some(Dropped { meaning, remedy, example: Some(example), .. }) => {
            format!("{meaning} {remedy} Example: {example}.")
        }
        None => "Nothing dropped.".to_owned(),
    };
    frame.render_widget(prose(&text), about);
}

/// What each processor does.
pub(super) fn processors(frame: &mut Frame<'_>, area: Rect, app: &mut App) {
    let cpus = &app.status.cpus;
    let all: f64 = cpus.iter().map(|cpu| cpu.packets_per_second).sum();
    let most = cpus.iter().map(|cpu| cpu.packets_per_second).fold(1.0, f64::max);
    let room = area.width.saturating_sub(30);
    let rows = cpus.iter().enumerate().map(|(number, cpu)| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width of the screen")]
        let length = (cpu.packets_per_second / most * f64::from(room)) as usize;
        let part = if all > 0.0 { cpu.packets_per_second / all * 100.0 } else { 0.0 };
        Row::new([
            left(&format!("CPU {number}")),
            left(&"█".repeat(length)).fg(Color::Green),
            right(&format!("{:.0}", cpu.packets_per_second)),
            right(&format!("{part:.0}%")),
        ])
    });
    let rows = rows.collect();
    let widths = [Constraint::Length(9), Constraint::Min(1), Constraint::Length(10), Constraint::Length(4)];
    table(frame, area, app, rows, widths, [left("processor"), left(""), right("packets/s"), right("")]);
}

/// A table, scrolled to the line that is selected.
fn table<const COLUMNS: usize>(
    frame: &mut Frame<'_>,
    area: Rect,
    app: &mut App,
    rows: Vec<Row<'_>>,
    widths: impl IntoIterator<Item = Constraint>,
    head: [Cell<'static>; COLUMNS],
) {
    let head = Row::new(head).style(Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED));
    let selected = Style::new().add_modifier(Modifier::REVERSED);
    let table = Table::new(rows, widths).header(head).row_highlight_style(selected);
    frame.render_stateful_widget(table, area, &mut app.selected);
}

fn left(text: &str) -> Cell<'static> {
    Cell::new(Line::from(text.to_owned()))
}

fn right(text: &str) -> Cell<'static> {
    Cell::new(Text::from(text.to_owned()).alignment(Alignment::Right))
}

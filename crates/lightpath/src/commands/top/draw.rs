//! The screen: what is always there, around what is looked at. It is made for 80 columns and 24 rows.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::app::{App, View};
use super::panes;
use crate::cli::Order;

const KEYS: &str = " ? help  q quit  Tab view  Enter backends  Esc back  s sort  / filter";

const HELP: &str = "
  ↑ ↓ j k PgUp PgDn Home End   select a line
  Enter →                      the backends of the service
  Esc ←                        back, or no filter any more
  1 2 3 Tab                    services, drops, processors
  s                            sort: as configured, name, rate, packets, drops
  /                            filter by name, address, state or cause
  q Ctrl-C                     quit

  Any key goes on.";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let areas = [Constraint::Length(3), Constraint::Min(0), Constraint::Length(1)];
    let [head, pane, foot] = Layout::vertical(areas).areas(frame.area());
    frame.render_widget(Paragraph::new(vec![who(app), how(app), what(app)]), head);
    let last = app.lines().saturating_sub(1);
    app.selected.select(Some(app.selected.selected().unwrap_or(0).min(last)));
    if app.is_helping {
        frame.render_widget(Clear, pane);
        frame.render_widget(Paragraph::new(HELP), pane);
    } else {
        match app.view.clone() {
            View::Services => panes::services(frame, pane, app),
            View::Backends(name) => panes::backends(frame, pane, app, &name),
            View::Drops => panes::drops(frame, pane, app),
            View::Processors => panes::processors(frame, pane, app),
        }
    }
    let foot_line = if app.is_filtering {
        Line::from(vec![Span::raw(" filter: "), Span::raw(app.filter.as_str()).bold(), Span::raw("▏")])
    } else {
        Line::from(KEYS)
    };
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(foot_line).style(reversed), foot);
}

/// Whom this is about.
fn who(app: &App) -> Line<'static> {
    let status = &app.status;
    let modes = status.interfaces.iter().map(|known| format!("{} ({})", known.name, known.mode));
    let interfaces = modes.collect::<Vec<_>>().join(", ");
    Line::from(vec![
        Span::raw(format!("lightpath {}", status.version)).bold(),
        Span::raw(format!(", {}, on {interfaces}", status.instance)),
    ])
}

/// How it is on the whole, or that nobody knows.
fn how(app: &App) -> Line<'static> {
    if let Some(problem) = &app.problem {
        return Line::from(format!("As it was, for {problem}")).red().bold();
    }
    let status = &app.status;
    let rate: f64 = status.services.iter().map(|service| service.packets_per_second).sum();
    let dropped: f64 = status.drops_per_second.values().sum();
    let moving = match status.flows.moving_slots {
        0 => String::new(),
        slots => format!(", {slots} slots moving"),
    };
    Line::from(format!("{}; {rate:.0} packets/s, {dropped:.0} dropped/s{moving}", status.summary()))
}

/// Which view it is, in which order, of what.
fn what(app: &App) -> Line<'static> {
    let views = [
        ("1 services", matches!(app.view, View::Services | View::Backends(_))),
        ("2 drops", app.view == View::Drops),
        ("3 processors", app.view == View::Processors),
    ];
    let mut spans = Vec::new();
    for (name, is_shown) in views {
        spans.push(if is_shown {
            Span::raw(format!("[{name}]")).bold()
        } else {
            Span::raw(format!(" {name} "))
        });
    }
    let order = match app.order {
        None => "as configured",
        Some(Order::Name) => "by name",
        Some(Order::Packets) => "by packets",
        Some(Order::Rate) => "by rate",
        Some(Order::Drops) => "by drops",
    };
    spans.push(Span::raw(format!("   {order}")));
    if !app.filter.is_empty() {
        spans.push(Span::raw(format!(", with {}", app.filter)).yellow());
    }
    Line::from(spans)
}

/// A text in lines of the pane's width.
pub(super) fn prose(text: &str) -> Paragraph<'_> {
    Paragraph::new(text).wrap(Wrap { trim: true })
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::app::tests::{press, status};
    use super::*;

    /// The rows of a small screen, after some keys.
    fn screen(keys: &str) -> Vec<String> {
        let mut app = App::new(status());
        press(&mut app, keys);
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &mut app)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |row: u16| (0..80).map(|column| buffer[(column, row)].symbol()).collect::<String>();
        (0..24).map(|number| row(number).trim_end().to_owned()).collect()
    }

    #[test]
    fn everything_fits_eighty_columns() {
        let services = screen("");
        assert_eq!(services[0], "lightpath 1.0.0, default, on eth0 (native)");
        assert_eq!(
            services[1],
            "2 services, 3 backends: 2 up, 1 down; 30 packets/s, 2 dropped/s, 5 slots moving"
        );
        assert_eq!(services[2], "[1 services] 2 drops  3 processors    as configured");
        assert_eq!(
            services[3],
            "service           address                    mode    up     packets/s    dropped"
        );
        assert_eq!(
            services[4],
            "web               203.0.113.10:80/tcp        nat     1/2           10          3"
        );
        assert_eq!(services[23], KEYS);

        let backends = screen(">");
        assert_eq!(
            backends[3],
            "web: backend                  state       share  weight packets/s  flows   check"
        );
        assert_eq!(
            backends[4],
            "10.0.0.11:80                  up          50.0%     100         6      7  1.2 ms"
        );
        let down = &backends[5];
        assert!(down.starts_with("10.0.0.12:80                  down "), "{down}");
        assert!(
            backends.iter().any(|row| row.contains("10.0.0.12:80 is down: connection refused")),
            "{backends:#?}"
        );

        let drops = screen("2");
        assert_eq!(drops[4], "no-backend                              3           2");
        assert!(
            drops.iter().any(|row| row.contains("No backend of the service takes new flows.")),
            "{drops:#?}"
        );
        let processors = screen("3");
        assert!(processors[4].starts_with("CPU 0") && processors[4].ends_with("300  75%"), "{processors:#?}");
        assert!(screen("?")[4].contains("select a line"));
        assert_eq!(screen("/we")[23], " filter: we▏");
        assert_eq!(screen("/we>")[2], "[1 services] 2 drops  3 processors    as configured, with we");
    }

    #[test]
    fn a_tiny_terminal_is_no_harm() {
        for (width, height) in [(1, 1), (10, 3), (20, 5), (300, 100)] {
            for keys in ["", ">", "2", "3", "?"] {
                let mut app = App::new(status());
                press(&mut app, keys);
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                terminal.draw(|frame| draw(frame, &mut app)).unwrap();
            }
        }
    }
}

//! What is shown, and what keys do to it. Nothing here draws.

use anyhow::Result;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use crate::cli::{Order, StatusOptions};
use crate::drops::Dropped;
use crate::status::{BackendStatus, ServiceStatus, Status};

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    Services,
    /// The backends of a service.
    Backends(String),
    Drops,
    Processors,
}

/// Everything on the screen.
#[derive(Debug)]
pub(super) struct App {
    pub(super) status: Status,
    /// Why the daemon does not answer, while it does not.
    pub(super) problem: Option<String>,
    pub(super) view: View,
    pub(super) order: Option<Order>,
    /// What services or backends must have in them.
    pub(super) filter: String,
    /// Whether keys go to the filter.
    pub(super) is_filtering: bool,
    /// Whether the keys are explained.
    pub(super) is_helping: bool,
    /// The line that is selected, and what has been scrolled away above.
    pub(super) selected: TableState,
    is_over: bool,
}

/// What `s` goes through.
const ORDERS: [Option<Order>; 5] =
    [None, Some(Order::Name), Some(Order::Rate), Some(Order::Packets), Some(Order::Drops)];

impl App {
    pub(super) fn new(status: Status) -> Self {
        Self {
            status,
            problem: None,
            view: View::Services,
            order: None,
            filter: String::new(),
            is_filtering: false,
            is_helping: false,
            selected: TableState::default().with_selected(0),
            is_over: false,
        }
    }

    /// Takes an answer of the daemon. Of one that does not answer, the last answer stays.
    pub(super) fn see(&mut self, answer: Result<Status>) {
        match answer {
            Ok(status) => {
                self.status = status;
                self.problem = None;
            }
            Err(error) => self.problem = Some(format!("{error:#}")),
        }
    }

    /// Whether somebody has seen enough.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Does what a key means.
    pub(super) fn press(&mut self, key: KeyEvent) {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            self.is_over |= key.code == KeyCode::Char('c');
        } else if std::mem::take(&mut self.is_helping) {
            // Any key ends the help.
        } else if self.is_filtering {
            self.press_in_filter(key.code);
        } else {
            self.press_in_view(key.code);
        }
    }

    fn press_in_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_filtering = false,
            KeyCode::Esc => {
                self.is_filtering = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) => {
                self.filter.push(letter);
                self.selected.select(Some(0));
            }
            _ => {}
        }
    }

    fn press_in_view(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Char('?' | 'h') => self.is_helping = true,
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Char('s') => {
                let place = ORDERS.iter().position(|order| *order == self.order).unwrap_or(0);
                self.order = ORDERS[(place + 1) % ORDERS.len()];
            }
            KeyCode::Char('1') => self.look_at(View::Services),
            KeyCode::Char('2') => self.look_at(View::Drops),
            KeyCode::Char('3') => self.look_at(View::Processors),
            KeyCode::Tab => self.look_at(match self.view {
                View::Services | View::Backends(_) => View::Drops,
                View::Drops => View::Processors,
                View::Processors => View::Services,
            }),
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => self.go_in(),
            KeyCode::Esc | KeyCode::Left => self.go_out(),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::PageDown => self.move_by(10),
            KeyCode::PageUp => self.move_by(-10),
            KeyCode::Home => self.selected.select(Some(0)),
            KeyCode::End => self.selected.select(Some(self.lines().saturating_sub(1))),
            _ => {}
        }
    }

    fn look_at(&mut self, view: View) {
        self.view = view;
        self.selected = TableState::default().with_selected(0);
    }

    fn go_in(&mut self) {
        if self.view == View::Services
            && let Some(service) =
                self.selected.selected().and_then(|index| self.services().into_iter().nth(index))
        {
            self.look_at(View::Backends(service.name));
        }
    }

    fn go_out(&mut self) {
        if let View::Backends(name) = &self.view {
            let place = self.services().iter().position(|service| service.name == *name);
            self.look_at(View::Services);
            self.selected.select(place.or(Some(0)));
        } else {
            self.filter.clear();
        }
    }

    fn move_by(&mut self, lines: isize) {
        let last = self.lines().saturating_sub(1);
        let now = self.selected.selected().unwrap_or(0);
        self.selected.select(Some(now.saturating_add_signed(lines).min(last)));
    }

    /// Lines of what is looked at.
    pub(super) fn lines(&self) -> usize {
        match &self.view {
            View::Services => self.services().len(),
            View::Backends(_) => self.backends().len(),
            View::Drops => Dropped::all(&self.status).len(),
            View::Processors => self.status.cpus.len(),
        }
    }

    /// The services that the filter lets through, in order.
    pub(super) fn services(&self) -> Vec<ServiceStatus> {
        let mut status = self.status.clone();
        status.services.retain(|service| {
            self.fits(&[&service.name, &service.vip.to_string(), &service.forward])
                || service.backends.iter().any(|backend| self.fits_backend(backend))
        });
        // Only a pattern can be wrong, and there is none.
        let _ = StatusOptions { sort: self.order, ..StatusOptions::default() }.apply(&mut status);
        status.services
    }

    /// The backends of the service that is looked at, in order.
    pub(super) fn backends(&self) -> Vec<BackendStatus> {
        let View::Backends(name) = &self.view else { return Vec::new() };
        let service = self.services().into_iter().find(|service| service.name == *name);
        service.map(|service| service.backends).unwrap_or_default()
    }

    fn fits_backend(&self, backend: &BackendStatus) -> bool {
        let cause = backend.cause.as_deref().unwrap_or_default();
        self.fits(&[&backend.address.to_string(), &backend.state, cause])
    }

    fn fits(&self, texts: &[&str]) -> bool {
        let filter = self.filter.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&filter))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two services, of which one has a backend that is down.
    pub(in crate::commands::top) fn status() -> Status {
        let backend = |host: u8, state: &str, rate: f64| {
            serde_json::json!({
                "address": format!("10.0.0.{host}"), "port": 80, "weight": 100, "state": state, "share": 0.5, "flows": 7,
                "cause": (state == "down").then_some("connection refused"), "check_seconds": 0.0012,
                "packets": 12_345, "bytes": 0, "reply_packets": 0, "reply_bytes": 0, "new_flows": 0, "packets_per_second": rate,
            })
        };
        let service = |name: &str, rate: f64, backends: &[serde_json::Value]| {
            serde_json::json!({
                "name": name, "vip": "203.0.113.10", "port": 80, "protocol": "tcp", "forward": "nat", "packets": 9, "bytes": 0,
                "reply_packets": 0, "reply_bytes": 0, "new_flows": 0, "dropped": 3, "packets_per_second": rate, "slots": 65_537,
                "backends": backends,
            })
        };
        serde_json::from_value(serde_json::json!({
            "version": "1.0.0", "instance": "default", "interfaces": [{ "name": "eth0", "mode": "native" }],
            "program": { "id": 1, "features": [], "jited_bytes": 1 },
            "flows": { "moving_slots": 5, "remembered": 2, "table_bytes": 0, "sessions": 0, "session_bytes": 0 },
            "cpus": [
                { "forwarded": 1, "dropped": 0, "packets_per_second": 300.0 },
                { "forwarded": 1, "dropped": 0, "packets_per_second": 100.0 },
            ],
            "drops": { "no-backend": 3 }, "drops_per_second": { "no-backend": 1.5 }, "replies": {},
            "services": [
                service("web", 10.0, &[backend(11, "up", 6.0), backend(12, "down", 4.0)]),
                service("mail", 20.0, &[backend(13, "up", 20.0)]),
            ],
        }))
        .unwrap()
    }

    /// Presses keys: letters as themselves, `>` for Enter, `<` for Escape, `v` and `^` for the arrows.
    pub(in crate::commands::top) fn press(app: &mut App, keys: &str) {
        for letter in keys.chars() {
            let code = match letter {
                '>' => KeyCode::Enter,
                '<' => KeyCode::Esc,
                'v' => KeyCode::Down,
                '^' => KeyCode::Up,
                letter => KeyCode::Char(letter),
            };
            app.press(code.into());
        }
    }

    #[test]
    fn keys_sort_filter_and_go_in_and_out() {
        let names = |app: &App| app.services().into_iter().map(|service| service.name).collect::<Vec<_>>();
        let mut app = App::new(status());
        for (keys, expected) in [
            ("", &["web", "mail"][..]),
            ("s", &["mail", "web"]),
            ("ssss", &["web", "mail"]),
            ("/mai>", &["mail"]),
            ("<", &["web", "mail"]),
            ("/refused>", &["web"]),
            ("/<", &["web", "mail"]),
        ] {
            press(&mut app, keys);
            assert_eq!(names(&app), expected, "after {keys}");
        }
        press(&mut app, "v>");
        assert_eq!((&app.view, app.backends().len()), (&View::Backends("mail".to_owned()), 1));
        press(&mut app, "<");
        assert_eq!((&app.view, app.selected.selected()), (&View::Services, Some(1)));
        press(&mut app, "vvv");
        assert_eq!(app.selected.selected(), Some(1), "the last is the last");
        press(&mut app, "23");
        assert_eq!(app.view, View::Processors);
        assert!(!app.is_over());
        press(&mut app, "?q");
        assert!(!app.is_over(), "any key ends the help");
        press(&mut app, "q");
        assert!(app.is_over());
    }

    #[test]
    fn what_was_seen_last_stays_while_the_daemon_is_gone() {
        let mut app = App::new(status());
        app.see(Err(anyhow::anyhow!("it is not running")));
        assert_eq!((app.problem.as_deref(), app.services().len()), (Some("it is not running"), 2));
        app.see(Ok(status()));
        assert_eq!(app.problem, None);
    }
}

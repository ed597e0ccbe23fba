//! The part of the status that was asked for.

use std::cmp::Ordering;

use anyhow::{Result, bail};

use crate::cli::{Order, StatusOptions};
use crate::status::{BackendStatus, ServiceStatus, Status};

impl StatusOptions {
    /// Whether something may be left out.
    pub(super) fn is_selective(&self) -> bool {
        !self.services.is_empty() || !self.states.is_empty()
    }

    /// Leaves the services and backends that were asked for, in the order that was asked for. A name that nothing has is an
    /// error; that nothing is in a state is not.
    pub(in crate::commands) fn apply(&self, status: &mut Status) -> Result<()> {
        for pattern in &self.services {
            if !status.services.iter().any(|service| pattern.matches(&service.name)) {
                bail!("no service is called {pattern}; `lightpath status` lists all of them");
            }
        }
        if !self.services.is_empty() {
            let is_meant =
                |service: &ServiceStatus| self.services.iter().any(|pattern| pattern.matches(&service.name));
            status.services.retain(is_meant);
        }
        if !self.states.is_empty() {
            for service in &mut status.services {
                service.backends.retain(|backend| self.states.contains(&backend.state));
            }
            status.services.retain(|service| !service.backends.is_empty());
        }
        if let Some(order) = self.sort {
            // What is equal stays in the order of the configuration.
            status.services.sort_by(|one, other| order.of_services(one, other));
            for service in &mut status.services {
                service.backends.sort_by(|one, other| order.of_backends(one, other));
            }
        }
        Ok(())
    }
}

impl Order {
    fn of_services(self, one: &ServiceStatus, other: &ServiceStatus) -> Ordering {
        match self {
            Self::Name => one.name.cmp(&other.name),
            Self::Packets => other.packets.cmp(&one.packets),
            Self::Rate => other.packets_per_second.total_cmp(&one.packets_per_second),
            Self::Drops => other.dropped.cmp(&one.dropped),
        }
    }

    fn of_backends(self, one: &BackendStatus, other: &BackendStatus) -> Ordering {
        match self {
            Self::Name => (one.address, one.port).cmp(&(other.address, other.port)),
            Self::Packets => other.packets.cmp(&one.packets),
            Self::Rate => other.packets_per_second.total_cmp(&one.packets_per_second),
            // Drops are counted by service.
            Self::Drops => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn status() -> Status {
        let backend = |host: u8, state: &str, packets: u64| {
            serde_json::json!({
                "address": format!("10.0.0.{host}"), "port": 80, "weight": 100, "state": state, "share": 0.5, "flows": 0,
                "packets": packets, "bytes": 0, "reply_packets": 0, "reply_bytes": 0, "new_flows": 0, "packets_per_second": 1.0,
            })
        };
        let service = |name: &str, dropped: u64, rate: f64, backends: &[serde_json::Value]| {
            let packets: u64 = backends.iter().map(|backend| backend["packets"].as_u64().unwrap()).sum();
            serde_json::json!({
                "name": name, "vip": "203.0.113.10", "port": 80, "protocol": "tcp", "forward": "nat", "packets": packets,
                "bytes": 0, "reply_packets": 0, "reply_bytes": 0, "new_flows": 0, "dropped": dropped, "packets_per_second": rate,
                "slots": 65_537, "backends": backends,
            })
        };
        serde_json::from_value(serde_json::json!({
            "version": "1.0.0", "instance": "default", "interfaces": [],
            "program": { "id": 1, "features": [], "jited_bytes": 1 },
            "flows": { "moving_slots": 0, "remembered": 0, "table_bytes": 0, "sessions": 0, "session_bytes": 0 },
            "drops": { "no-backend": 3 }, "replies": {},
            "services": [
                service("web-b", 3, 2.0, &[backend(12, "up", 1), backend(11, "down", 5)]),
                service("web-a", 0, 9.0, &[backend(13, "up", 9), backend(14, "draining", 2)]),
                service("dns", 1, 1.0, &[backend(15, "up", 0)]),
            ],
        }))
        .unwrap()
    }

    /// What an invocation shows: services, each with the last numbers of its backends' addresses.
    fn shown(arguments: &str) -> Result<String> {
        let cli =
            Cli::try_parse_from(["lightpath", "status"].into_iter().chain(arguments.split_whitespace()))?;
        let Command::Status(options) = &cli.command else { panic!("{cli:?}") };
        let mut status = status();
        options.apply(&mut status)?;
        let host = |backend: &BackendStatus| backend.address.to_string().replace("10.0.0.", " ");
        let services = status.services.iter().map(|service| {
            format!("{}{}", service.name, service.backends.iter().map(host).collect::<Vec<_>>().concat())
        });
        Ok(services.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn services_and_backends_are_chosen_and_ordered() {
        for (arguments, expected) in [
            ("", "web-b 12 11, web-a 13 14, dns 15"),
            ("--service dns", "dns 15"),
            ("--service web-*", "web-b 12 11, web-a 13 14"),
            ("--service dns --service *-a", "web-a 13 14, dns 15"),
            ("--state down", "web-b 11"),
            ("--state down --state draining", "web-b 11, web-a 14"),
            ("--service web-a --state down", ""),
            ("--state unresolved", ""),
            ("--sort name", "dns 15, web-a 13 14, web-b 11 12"),
            ("--sort packets", "web-a 13 14, web-b 11 12, dns 15"),
            ("--sort rate", "web-a 13 14, web-b 12 11, dns 15"),
            ("--sort drops", "web-b 12 11, dns 15, web-a 13 14"),
            ("--state up --sort drops", "web-b 12, dns 15, web-a 13"),
        ] {
            assert_eq!(shown(arguments).unwrap(), expected, "status {arguments}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (arguments, told) in [
            ("--service wbe", "no service is called wbe; `lightpath status` lists all of them"),
            ("--service dns --service [", "--service"),
            ("--state dead", "possible values: up, draining, panic, unresolved, down"),
            ("--sort colour", "possible values: name, packets, rate, drops"),
            ("--watch 0", "1..=3600"),
            ("--watch --json", "cannot be used with"),
        ] {
            let error = shown(arguments).unwrap_err().to_string();
            assert!(error.contains(told), "status {arguments}: {error}");
        }
    }

    #[test]
    fn a_part_says_of_how_much() {
        let mut status = status();
        let all = status.summary();
        assert_eq!(all, "3 services, 5 backends: 3 up, 1 draining, 1 down");
        let options = StatusOptions { states: vec!["down".to_owned()], ..StatusOptions::default() };
        options.apply(&mut status).unwrap();
        let text = status.part_of(&all).to_string();
        assert!(
            text.contains(
                "\n3 services, 5 backends: 3 up, 1 draining, 1 down\nshown: 1 service, 1 backend: 1 down\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("10.0.0.11") && !text.contains("10.0.0.12") && !text.contains("ropped:"),
            "{text}"
        );
    }
}

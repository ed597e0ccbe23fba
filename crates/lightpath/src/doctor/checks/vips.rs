use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use lightpath_control::health::{Cause, Checks, Position, Ways};
use lightpath_control::hops::Hop;
use lightpath_control::host::CheckDevice;
use lightpath_control::model::{Backend, Check, Config, Forward, Health, OnDown, Protocol, Service, Via};
use lightpath_dataplane::CheckWay;

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// Backends on the way to which a SYN is lost get another.
const TIMEOUT: Duration = Duration::from_secs(2);
/// No second check is made.
const INTERVAL: Duration = Duration::from_hours(1);

/// Backends that answer clients themselves have the VIP, and take their packets: a connection is made to each as a client's would be,
/// by the data plane's way of [health checks](lightpath_control::health), for a moment and beside those of a daemon.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let shared: Vec<&Service> = around.services_by(&[Forward::Dsr, Forward::Ipip, Forward::Gue]).collect();
    if shared.is_empty() {
        return Ok(vec![Finding::ok("VIPs of backends", "no backend needs one")]);
    }
    let mut findings: Vec<Finding> = shared.iter().filter_map(|service| unseen(service)).collect();
    let Ok(config) = &around.config else { return Ok(findings) };
    let config = Config {
        node: config.node.clone(),
        services: shared.into_iter().filter(|service| can_connect(service)).map(connecting).collect(),
    };
    if !config.services.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        findings.extend(runtime.block_on(try_all(&config, around))?);
    }
    Ok(findings)
}

/// Whether a connection says something: of other protocols nobody knows what is answered.
fn can_connect(service: &Service) -> bool {
    service.protocol == Protocol::Tcp && service.ports.single().is_some()
}

fn unseen(service: &Service) -> Option<Finding> {
    let is_checked = service.health.as_ref().is_some_and(|health| health.via == Via::Datapath);
    (!can_connect(service) && !is_checked).then(|| {
        let what = "whether its backends have the VIP cannot be seen from here";
        let why = "packets to one that has not are lost";
        Finding::hint(format_args!("service {}", service.name), what, why)
            .mend("write a check with via = \"datapath\" below [service.health]")
    })
}

/// The service with a check that only connects.
fn connecting(service: &Service) -> Service {
    let health = Health {
        check: Check::Tcp,
        via: Via::Datapath,
        port: None,
        interval: INTERVAL,
        timeout: TIMEOUT,
        rise: 1,
        fall: 1,
        on_down: OnDown::Move,
        slow_start: Duration::ZERO,
        hold_down: Duration::ZERO,
        panic_threshold: 0,
    };
    Service { health: Some(health), ..service.clone() }
}

async fn try_all(config: &Config, around: &Surroundings) -> Result<Vec<Finding>> {
    // An instance's name has no colon, so this is nobody's.
    let name = format!("doctor:{}", around.instance.name);
    let device = CheckDevice::make(&name).await?;
    let tried = try_by(&device, config, around).await;
    CheckDevice::remove(&name).await?;
    tried
}

async fn try_by(device: &CheckDevice, config: &Config, around: &Surroundings) -> Result<Vec<Finding>> {
    let mut way = CheckWay::load()?;
    way.leave_by(&device.name)?;
    let mut ways = Ways::default();
    ways.leave_by(Some(&device.name));
    ways.mark(config);
    way.set(ways.entries(config, &around.hops))?;
    let mut interfaces: BTreeSet<&str> = config.node.interfaces.iter().map(String::as_str).collect();
    interfaces.extend(around.hops.values().filter_map(|hop| match hop {
        Hop::Resolved(hop) => Some(hop.interface_name.as_str()),
        Hop::Unresolved(_) => None,
    }));
    way.listen_on(interfaces.iter().copied())?;
    let mut checks = Checks::start(ways.targets(config)?)?;
    checks.settle(2 * TIMEOUT).await;
    let view = checks.view();
    let mut findings = Vec::new();
    for service in &config.services {
        let lacking: Vec<Finding> = service
            .backends
            .iter()
            // What cannot be reached at all is another check's business.
            .filter(|backend| matches!(around.hops.get(&backend.address), Some(Hop::Resolved(_))))
            .filter_map(|backend| {
                let standing = view.standing(&service.name, (backend.address, backend.port))?;
                match &standing.position {
                    Position::Down(cause @ Cause::NotThrough { .. }) => {
                        Some(lacks(service, backend, cause, around))
                    }
                    // Refused or not, somebody with this address has answered.
                    _ => None,
                }
            })
            .collect();
        if lacking.is_empty() {
            let what = format!("its backends that can be reached have the VIP {}", service.vip);
            findings.push(Finding::ok(format_args!("service {}", service.name), what));
        }
        findings.extend(lacking);
    }
    Ok(findings)
}

fn lacks(service: &Service, backend: &Backend, cause: &Cause, around: &Surroundings) -> Finding {
    let about = format!("service {}, backend {}", service.name, backend.address);
    let is_checked = around.services().iter().any(|configured| {
        configured.name == service.name
            && configured.health.as_ref().is_some_and(|health| health.via == Via::Datapath)
    });
    let finding = if is_checked {
        Finding::warning(
            about,
            cause,
            "its checks keep flows away from it, and the other backends have its share",
        )
    } else {
        Finding::error(
            about,
            cause,
            "packets that it gets are lost, and its checks, if there are any, do not see it",
        )
    };
    let vip = service.vip;
    let has_vip = format!("ip address add {vip}/{} dev lo", if vip.is_ipv4() { 32 } else { 128 });
    finding.mend(match service.forward {
        Forward::Dsr => format!(
            "on that host: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; {has_vip}"
        ),
        _ => format!("on that host: lightpath decap --interface INTERFACE --from THIS-HOST; {has_vip}"),
    })
}

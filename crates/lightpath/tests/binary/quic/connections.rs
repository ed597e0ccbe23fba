//! Connections of a QUIC client, which changes its address while they are open.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use lightpath_lab::topology::plan;

use super::peer::{Connection, Identity, ServerId};
use crate::common::{Bed, Family, Service, TUNNELS, file, is_direct};
use crate::decap::Decap;

const PORT: u16 = 443;
const BACKENDS: u8 = 3;
/// By their flows' hashes all of so many would be where they were after a move once in 3^30 times.
const CONNECTIONS: usize = 30;
const MOVES: usize = 3;
/// As in the configuration below.
const CONFIG_ID: u8 = 3;
const SERVER_IDS: [&str; 3] = ["server_id = \"0a01\"", "server_id = \"0a02\"", "server_id = \"0a03\""];

#[test]
fn nat_keeps_connections_at_their_backend_when_the_client_moves() {
    keeps_connections(Bed::one_armed(BACKENDS), "nat");
}

#[test]
fn dsr_keeps_connections_at_their_backend_when_the_client_moves() {
    keeps_connections(Bed::one_armed(BACKENDS), "dsr");
}

#[test]
fn ipip_keeps_connections_at_their_backend_when_the_client_moves() {
    keeps_connections(Bed::one_armed(BACKENDS), "ipip");
}

#[test]
fn gue_keeps_connections_at_their_backend_when_the_client_moves() {
    keeps_connections(Bed::one_armed(BACKENDS), "gue");
}

/// Connections of both families stay, also at backends that are drained meanwhile.
fn keeps_connections(mut bed: Bed, forward: &'static str) {
    let mut services = Family::BOTH.map(|family| service(&bed, family, forward));
    let _tunnels = TUNNELS.contains(&forward).then(|| Decap::on_all(&bed));
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut hosts = plan::MORE_CLIENTS.cycle();
        let mut connections = Vec::new();
        for service in &services {
            connections.extend(open(&bed, service, &mut hosts).await);
        }
        for _ in 0..MOVES {
            all_go_on(&connections, &mut hosts).await;
        }
        for service in &mut services {
            service.backends[0].more = "server_id = \"0a01\"\nweight = 0";
        }
        bed.balancer.configure(&file(bed.interfaces, "", &services));
        let output = bed.balancer.ask(&["reload"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        all_go_on(&connections, &mut hosts).await;
    });
    let status = bed.balancer.status();
    for service in &services {
        assert_eq!(status.backend(&service.name, 0)["weight"], 0, "{status:?}");
    }
    status.has_lost_nothing(forward);
}

/// Opens connections to all backends of a service; each with the name of its own.
async fn open(
    bed: &Bed,
    service: &Service,
    hosts: &mut impl Iterator<Item = u8>,
) -> Vec<(Connection, String)> {
    let identity = Identity::new();
    serve(bed, service, &identity);
    let vip = SocketAddr::new(service.vip, PORT);
    let mut connections = Vec::new();
    for host in hosts.take(CONNECTIONS) {
        let connection = identity.connect(&bed.client, host, vip).await;
        let (backend, seen) = connection.ask().await;
        assert_eq!(seen, connection.local_address());
        connections.push((connection, backend));
    }
    let backends: BTreeSet<&String> = connections.iter().map(|(_, backend)| backend).collect();
    assert_eq!(backends.len(), usize::from(BACKENDS), "{backends:?}");
    connections
}

/// Moves the client of each connection, which has to go on at the backend that it is at.
async fn all_go_on(connections: &[(Connection, String)], hosts: &mut impl Iterator<Item = u8>) {
    for ((connection, backend), host) in connections.iter().zip(hosts) {
        connection.move_to(host);
        assert_eq!(connection.ask().await, (backend.clone(), connection.local_address()));
    }
}

fn service(bed: &Bed, family: Family, forward: &'static str) -> Service {
    let vip = family.vip(10);
    if is_direct(forward) {
        bed.accept_vip(vip);
    }
    let service = Service::web(&format!("h3{family:?}"), vip, &bed.addresses(family));
    let more = "quic = { server_id_length = 2, config_id = 3 }";
    let mut service = Service { port: "443", protocol: "quic", forward, more, ..service };
    for (backend, id) in service.backends.iter_mut().zip(SERVER_IDS) {
        backend.more = id;
    }
    service
}

/// A server on each backend, whose IDs are those that the configuration gives them.
fn serve(bed: &Bed, service: &Service, identity: &Identity) {
    for ((host, backend), number) in bed.backends.iter().zip(&service.backends).zip(1..) {
        let address = if is_direct(service.forward) { service.vip } else { backend.address };
        let server_id = ServerId { config_id: CONFIG_ID, server_id: [0x0a, number] };
        identity.serve(&host.ns, SocketAddr::new(address, PORT), server_id);
    }
}

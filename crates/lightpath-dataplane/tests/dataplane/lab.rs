//! The node of `lightpath_testkit::node`, for real.

use std::panic;
use std::path::Path;
use std::thread;

use lightpath_dataplane::{Capacity, Cpus, Dataplane, PassProgram, Pins, Spec, attach_pass};
use lightpath_lab::{Namespace, isolate, veth};
use lightpath_testkit::Contents;
use lightpath_testkit::node::{
    BACK, BACK_MAC, BLACKHOLES, CLIENT_MAC, CLIENTS, FAR, FAR_CLIENTS, FAR_MAC, FRONT, FRONT_MAC, NARROW,
    Node, SIDE, SIDE_CLIENTS, SIDE_MAC,
};

/// Capacity for any of the tests' configurations.
pub(crate) const CAPACITY: Capacity =
    Capacity { services: 64, backends: 256, slots: 4096, directory: 1024, sources: 16, sessions: 512 };

/// A namespace with the node's interfaces, whose other ends are in a namespace of their own.
pub(crate) struct Lab {
    pub(crate) namespace: Namespace,
    pub(crate) node: Node,
    pub(crate) pins: Pins,
    pub(crate) neighbours: Namespace,
}

/// Runs `test` inside a new namespace, over a BPF file system that nobody else sees.
pub(crate) fn in_lab(test: impl FnOnce(&Lab) + Send) {
    let isolated = || {
        isolate().unwrap();
        let lab = Lab::new();
        lab.namespace.run(|| test(&lab)).unwrap();
    };
    thread::scope(|scope| scope.spawn(isolated).join()).unwrap_or_else(|panic| panic::resume_unwind(panic));
}

impl Lab {
    fn new() -> Self {
        let (namespace, neighbours) =
            (Namespace::new("node").unwrap(), Namespace::new("neighbours").unwrap());
        let links = [
            ("front", FRONT_MAC, FRONT),
            ("back", BACK_MAC, BACK),
            ("side", SIDE_MAC, SIDE),
            ("far", FAR_MAC, FAR),
        ];
        for (link, mac, addresses) in links {
            veth((&namespace, link), (&neighbours, link)).unwrap();
            namespace.set_mac(link, mac).unwrap();
            namespace.add_addresses(link, &addresses.map(|address| address.parse().unwrap())).unwrap();
        }
        namespace.forward_packets().unwrap();
        let node = Node {
            front: namespace.ifindex("front").unwrap(),
            back: namespace.ifindex("back").unwrap(),
            side: namespace.ifindex("side").unwrap(),
            far: namespace.ifindex("far").unwrap(),
            forwarding: true,
        };
        let pins = Pins::new(Path::new(Pins::ROOT), "test");
        let lab = Self { namespace, node, pins, neighbours };
        let mac = CLIENT_MAC.map(|octet| format!("{octet:02x}")).join(":");
        for (link, clients) in [("front", CLIENTS), ("side", SIDE_CLIENTS), ("far", FAR_CLIENTS)] {
            for client in clients {
                lab.ip(&format!("neigh add {client} lladdr {mac} dev {link} nud permanent"));
            }
        }
        for prefix in BLACKHOLES {
            lab.ip(&format!("route add blackhole {prefix}"));
        }
        for ((prefix, mtu), router) in NARROW.iter().zip(CLIENTS) {
            lab.ip(&format!("route add {prefix} via {router} dev front mtu lock {mtu}"));
        }
        lab
    }

    /// ip(8).
    fn ip(&self, arguments: &str) {
        let status = self.namespace.command("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}: {status}");
    }

    /// Turns forwarding of both families on or off.
    pub(crate) fn set_forwarding(&self, on: bool) {
        let value = if on { "1" } else { "0" };
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            self.namespace.sysctl(key, value).unwrap();
        }
    }

    /// The data plane of these contents, filled but not attached.
    pub(crate) fn open(&self, contents: &Contents) -> Dataplane {
        let mut dataplane = Dataplane::open(&self.pins, &spec(contents)).unwrap();
        dataplane.apply(&contents.image).unwrap();
        dataplane
    }
}

/// Makes the interfaces ones that test runs can name: veth sets up receive queues for XDP when it gets a program.
pub(crate) fn receive() -> [PassProgram; 2] {
    ["front", "back"].map(|link| attach_pass(link).unwrap())
}

/// What the program of these contents is made for.
pub(crate) fn spec(contents: &Contents) -> Spec {
    let parameters = contents.parameters;
    Spec {
        features: parameters.features,
        port_prefixes: parameters.port_prefixes,
        hash_key: parameters.hash_key,
        snat_ports: parameters.snat_ports,
        spread: Cpus::default(),
        capacity: CAPACITY,
    }
}

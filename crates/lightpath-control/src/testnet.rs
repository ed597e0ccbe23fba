//! Two private network namespaces joined by a veth pair, for tests that need a kernel to answer.
//!
//! They belong to a thread of their own and are gone with it, however the test ends.

use std::fs::File;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{RouteMessage, RouteType};
use rtnetlink::{
    AddressMessageBuilder, Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
};

use crate::netlink::{self, Link};

/// One end of the pair: a namespace with the interface of that name in it, which is up.
pub(crate) struct End {
    pub(crate) handle: Handle,
    namespace: File,
}

/// Two hosts on one wire. The test runs in `near`.
pub(crate) struct Net {
    pub(crate) near: End,
    pub(crate) far: End,
}

/// The interface of the near end.
pub(crate) const NEAR: &str = "near0";
/// The interface of the far end.
pub(crate) const FAR: &str = "far0";

/// Runs a test in a fresh pair of namespaces, with both interfaces up and without addresses.
pub(crate) fn with_net<T: Future<Output = ()>>(test: impl FnOnce(Net) -> T + Send + 'static) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let far = End::new();
            let near = End::new();
            let net = Net { near, far };
            net.lay().await;
            test(net).await;
        });
    })
    .join()
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Waits until `check` gives something, for at most `seconds`.
pub(crate) async fn eventually<T>(what: &str, seconds: u64, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl End {
    /// Moves the thread into a new namespace.
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET)
            .expect("this test makes network namespaces: run it as root (CAP_SYS_ADMIN and CAP_NET_ADMIN)");
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        // Duplicate address detection would notify of link-local addresses a second or two into a test.
        std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        Self { handle: netlink::connect().unwrap(), namespace }
    }

    /// Runs something (that opens sockets, or uses /proc/sys/net) in this namespace.
    pub(crate) fn enter<T>(&self, what: impl FnOnce() -> T) -> T {
        let before = File::open("/proc/thread-self/ns/net").unwrap();
        setns(&self.namespace, CloneFlags::CLONE_NEWNET).unwrap();
        let result = what();
        setns(&before, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }

    pub(crate) async fn link(&self, name: &str) -> Link {
        let messages: Vec<LinkMessage> =
            self.handle.link().get().match_name(name).execute().try_collect().await.unwrap();
        Link::from_message(&messages[0]).unwrap()
    }

    async fn change(
        &self,
        name: &str,
        change: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) {
        let index = self.link(name).await.index;
        let message = change(LinkMessageBuilder::<LinkUnspec>::default().index(index)).build();
        self.handle.link().change(message).execute().await.unwrap();
    }

    pub(crate) async fn up(&self, name: &str) {
        self.change(name, LinkMessageBuilder::up).await;
    }

    pub(crate) async fn down(&self, name: &str) {
        self.change(name, LinkMessageBuilder::down).await;
    }

    pub(crate) async fn set_mac(&self, name: &str, mac: [u8; 6]) {
        self.change(name, |link| link.address(mac.to_vec())).await;
    }

    /// A further veth pair within this namespace, both ends up.
    pub(crate) async fn add_pair(&self, name: &str, peer: &str) {
        self.handle.link().add(LinkVeth::new(name, peer).build()).execute().await.unwrap();
        self.up(name).await;
        self.up(peer).await;
    }

    /// As an operator would add it: with the route of its prefix, and without duplicate address detection.
    pub(crate) async fn add_address(&self, name: &str, address: &str) {
        use rtnetlink::packet_route::address::AddressHeaderFlags;
        let (address, bits) = prefix(address);
        let index = self.link(name).await.index;
        let mut request = self.handle.address().add(index, address, bits);
        request.message_mut().header.flags = AddressHeaderFlags::Nodad;
        request.execute().await.unwrap();
    }

    pub(crate) async fn remove_address(&self, name: &str, address: &str) {
        let (address, bits) = prefix(address);
        let index = self.link(name).await.index;
        let message = match address {
            IpAddr::V4(address) => {
                AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, bits).build()
            }
            IpAddr::V6(address) => {
                AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(address, bits).build()
            }
        };
        self.handle.address().del(message).execute().await.unwrap();
    }

    /// The addresses of an interface as `address/bits`, without link-local ones.
    pub(crate) async fn addresses(&self, name: &str) -> Vec<String> {
        let index = self.link(name).await.index;
        let request = self.handle.address().get().set_link_index_filter(index);
        let messages: Vec<_> = request.execute().try_collect().await.unwrap();
        let mut found = Vec::new();
        for message in messages {
            for attribute in &message.attributes {
                match attribute {
                    AddressAttribute::Address(IpAddr::V6(address)) if address.is_unicast_link_local() => {}
                    AddressAttribute::Address(address) => {
                        found.push(format!("{address}/{}", message.header.prefix_len));
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }

    pub(crate) async fn add_route(&self, to: &str, gateway: &str) {
        self.handle.route().add(gateway_route(to, gateway)).replace().execute().await.unwrap();
    }

    pub(crate) async fn remove_route(&self, to: &str, gateway: &str) {
        self.handle.route().del(gateway_route(to, gateway)).execute().await.unwrap();
    }

    /// A route that leads nowhere.
    pub(crate) async fn add_dead_route(&self, to: &str, kind: RouteType) {
        let (address, bits) = prefix(to);
        let route =
            RouteMessageBuilder::<IpAddr>::new().destination_prefix(address, bits).unwrap().kind(kind);
        self.handle.route().add(route.build()).execute().await.unwrap();
    }
}

impl Net {
    async fn lay(&self) {
        let Self { near, far } = self;
        near.handle.link().add(LinkVeth::new(NEAR, FAR).build()).execute().await.unwrap();
        near.change(FAR, |link| link.setns_by_fd(far.namespace.as_raw_fd())).await;
        for (end, name) in [(near, NEAR), (far, FAR)] {
            end.up("lo").await;
            end.up(name).await;
        }
        eventually("a carrier", 5, async || near.link(NEAR).await.running.then_some(())).await;
    }
}

pub(crate) fn gateway_route(to: &str, gateway: &str) -> RouteMessage {
    let (address, bits) = prefix(to);
    RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(address, bits)
        .unwrap()
        .gateway(gateway.parse().unwrap())
        .unwrap()
        .build()
}

fn prefix(text: &str) -> (IpAddr, u8) {
    let (address, bits) = text.split_once('/').unwrap();
    (address.parse().unwrap(), bits.parse().unwrap())
}

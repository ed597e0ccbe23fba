//! VLAN interfaces, from hand-made messages: not every kernel that runs the tests has them.

use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    VlanProtocol,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use lightpath_abi::VlanInterface;

use super::*;
use crate::hops::vlans;

const ETH0: u32 = 2;
const TAGGED: u32 = 3;
const TARGET: &str = "10.0.0.2";
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x42];

/// An Ethernet interface, as the kernel describes it.
fn ethernet(index: u32, name: &str, mtu: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.link_layer_type = LinkLayerType::Ether;
    message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::Address([2, 0, 0, 0, 0, u8::try_from(index).unwrap()].to_vec()),
    ];
    message
}

/// A VLAN interface on another one.
fn vlan(index: u32, name: &str, parent: u32, id: u16, protocol: VlanProtocol) -> LinkMessage {
    let mut message = ethernet(index, name, 1500);
    message.attributes.push(LinkAttribute::Link(parent));
    let data = vec![InfoVlan::Protocol(protocol), InfoVlan::Id(id)];
    let info = vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(data))];
    message.attributes.push(LinkAttribute::LinkInfo(info));
    message
}

/// The hop to [`TARGET`] by the last of these links, where it is a neighbour.
fn hop(links: &[LinkMessage], route_mtu: Option<u32>) -> Hop {
    let interface = links.last().unwrap().header.index;
    let links: BTreeMap<u32, Link> =
        links.iter().filter_map(Link::from_message).map(|link| (link.index, link)).collect();
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.ifindex = interface;
    neighbour.header.state = NeighbourState::Reachable;
    neighbour.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(TARGET.parse().unwrap())),
        NeighbourAttribute::LinkLayerAddress(MAC.to_vec()),
    ];
    let route = Route { interface, gateway: None, source: None, mtu: route_mtu };
    let target = TARGET.parse().unwrap();
    let asked_for = to_resolve(target, route, &links).is_some();
    let hop = resolve(target, route, &links, &Neighbours::new(&[neighbour]));
    assert_eq!(asked_for, matches!(hop, Hop::Resolved(_)), "only what can be used is asked for: {hop:?}");
    hop
}

fn refused(problem: VlanProblem) -> Hop {
    Hop::Unresolved(Reason::Vlan { interface: "tagged0".to_owned(), problem })
}

#[test]
fn frames_by_a_vlan_interface_leave_by_its_parent_with_its_number_and_its_mac_address() {
    let tagged = vlan(TAGGED, "tagged0", ETH0, 7, VlanProtocol::Ieee8021Q);
    let expected = NextHop {
        interface: ETH0,
        interface_name: "eth0".to_owned(),
        vlan: Some(7),
        source_mac: [2, 0, 0, 0, 0, 3],
        mac: MAC,
        mtu: 1500,
        source: None,
    };
    let links = [ethernet(ETH0, "eth0", 9000), tagged.clone()];
    assert_eq!(hop(&links, None), Hop::Resolved(expected.clone()));
    assert_eq!(hop(&links, Some(1280)), Hop::Resolved(NextHop { mtu: 1280, ..expected.clone() }));
    let links = [ethernet(ETH0, "eth0", 1400), tagged];
    assert_eq!(hop(&links, Some(9000)), Hop::Resolved(NextHop { mtu: 1400, ..expected }));
}

#[test]
fn an_interface_that_is_on_another_one_but_is_no_vlan_is_an_ordinary_one() {
    let mut macvlan = ethernet(TAGGED, "macvlan0", 1500);
    macvlan.attributes.push(LinkAttribute::Link(ETH0));
    macvlan.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVlan)]));
    let Hop::Resolved(next) = hop(&[ethernet(ETH0, "eth0", 1500), macvlan], None) else {
        panic!("it can be used")
    };
    assert_eq!((next.interface, next.vlan), (TAGGED, None));
}

#[test]
fn a_parent_that_is_down_is_named() {
    let mut parent = ethernet(ETH0, "eth0", 1500);
    parent.header.flags = LinkFlags::Up;
    let tagged = vlan(TAGGED, "tagged0", ETH0, 7, VlanProtocol::Ieee8021Q);
    let links = [parent, tagged];
    let links: BTreeMap<u32, Link> =
        links.iter().filter_map(Link::from_message).map(|link| (link.index, link)).collect();
    let route = Route { interface: TAGGED, gateway: None, source: None, mtu: None };
    let hop = resolve(TARGET.parse().unwrap(), route, &links, &Neighbours::default());
    assert_eq!(hop, Hop::Unresolved(Reason::LinkDown { interface: "eth0".to_owned() }));
}

#[test]
fn tags_that_cannot_be_written_are_refused_with_the_reason() {
    let eth0 = || ethernet(ETH0, "eth0", 1500);
    let inner = || vlan(TAGGED, "tagged0", 4, 8, VlanProtocol::Ieee8021Q);
    let outer = vlan(4, "outer0", ETH0, 7, VlanProtocol::Ieee8021Q);
    assert_eq!(hop(&[eth0(), outer, inner()], None), refused(VlanProblem::Nested));

    let service = vlan(TAGGED, "tagged0", ETH0, 7, VlanProtocol::Ieee8021Ad);
    assert_eq!(hop(&[eth0(), service], None), refused(VlanProblem::ServiceTag));

    let mut elsewhere = vlan(TAGGED, "tagged0", ETH0, 7, VlanProtocol::Ieee8021Q);
    elsewhere.attributes.push(LinkAttribute::LinkNetNsId(0));
    assert_eq!(hop(&[eth0(), elsewhere], None), refused(VlanProblem::ParentElsewhere));
    assert_eq!(hop(&[inner()], None), refused(VlanProblem::ParentElsewhere));

    let said = Reason::Vlan { interface: "tagged0".to_owned(), problem: VlanProblem::Nested }.to_string();
    assert_eq!(said, "tagged0 is a VLAN within a VLAN: use an 802.1Q VLAN of an interface of this host");
}

#[test]
fn interfaces_that_xdp_cannot_send_by_are_named_with_those_that_it_can() {
    let messages = [
        ethernet(ETH0, "eth0", 1500),
        vlan(TAGGED, "tagged0", ETH0, 7, VlanProtocol::Ieee8021Q),
        vlan(4, "priority0", ETH0, 0, VlanProtocol::Ieee8021Q),
        vlan(5, "nested0", TAGGED, 8, VlanProtocol::Ieee8021Q),
    ];
    let links = messages.iter().filter_map(Link::from_message).map(|link| (link.index, link)).collect();
    let on_eth0 = |vlan| VlanInterface { parent: ETH0, vlan, reserved: 0 };
    let expected = [(TAGGED, on_eth0(7)), (4, on_eth0(0)), (5, VlanInterface::KERNELS)];
    assert_eq!(vlans::of(&links), BTreeMap::from(expected));
}

//! From a described packet to bytes, with etherparse's headers and checksums.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    ArpHardwareId, ArpOperation, ArpPacket, EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header,
    Ipv6Header, TcpHeader, UdpHeader,
};

use crate::internet_checksum;
use crate::packet::{ACK, Checksum, FIN, Fragment, Lie, Outer, PSH, PacketBuilder, RST, SYN, Transport};

pub(crate) fn build(packet: &PacketBuilder) -> Vec<u8> {
    let mut bytes = ethernet(packet);
    let segment = transport(packet);
    let carried = match (packet.source.ip(), packet.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            internet4(packet, source.octets(), destination.octets(), segment.len())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            internet6(packet, source.octets(), destination.octets(), segment.len())
        }
        _ => panic!("{} and {} are of different families", packet.source, packet.destination),
    };
    if let Some(outer) = &packet.outer {
        bytes.extend(tunnel(outer, packet, carried.len() + segment.len()));
    }
    let network = bytes.len();
    let transport = network + carried.len();
    bytes.extend(carried);
    bytes.extend(segment);
    bytes.resize(bytes.len() + packet.padding, 0);
    for lie in &packet.lies {
        tell(*lie, &mut bytes, network, transport);
    }
    if packet.source.is_ipv4() && !packet.lies.is_empty() {
        refresh_header_checksum(&mut bytes[network..]);
    }
    bytes.truncate(packet.cut_to);
    bytes
}

fn ethernet(packet: &PacketBuilder) -> Vec<u8> {
    let [destination, source] = packet.macs;
    let outermost = packet.outer.as_ref().map_or(packet.source.ip(), |outer| outer.source);
    let of_ip = if outermost.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
    let mut types = packet.tags.iter().map(|(ether_type, _)| EtherType(*ether_type)).chain([of_ip]);
    let ether_type = types.next().unwrap_or(of_ip);
    let mut bytes = Ethernet2Header { source, destination, ether_type }.to_bytes().to_vec();
    for ((_, id), next) in packet.tags.iter().zip(types) {
        bytes.extend(id.to_be_bytes());
        bytes.extend(next.0.to_be_bytes());
    }
    bytes
}

fn internet4(packet: &PacketBuilder, source: [u8; 4], destination: [u8; 4], carried: usize) -> Vec<u8> {
    let carried = u16::try_from(carried + packet.ip_options.len()).expect("it fits an IPv4 packet");
    let mut header = Ipv4Header::new(carried, packet.ttl, IpNumber(protocol(packet)), source, destination)
        .expect("it fits an IPv4 packet");
    header.options = packet.ip_options.as_slice().try_into().expect("up to ten words of options");
    header.dscp = (packet.tos >> 2).try_into().expect("six bits");
    header.ecn = (packet.tos & 3).try_into().expect("two bits");
    header.dont_fragment = packet.dont_fragment;
    if let Some(Fragment { identification, offset, more }) = packet.fragment {
        header.identification = identification;
        header.dont_fragment = false;
        header.more_fragments = more;
        header.fragment_offset = IpFragOffset::try_new(offset).expect("thirteen bits");
    }
    header.header_checksum = header.calc_header_checksum();
    header.to_bytes().to_vec()
}

/// The headers of a tunnel around a packet of `length` bytes: its DSCP and ECN outward unless told, 64 hops to go, no fragments.
fn tunnel(outer: &Outer, packet: &PacketBuilder, length: usize) -> Vec<u8> {
    let inner = if packet.source.is_ipv4() { IpNumber::IPV4 } else { IpNumber::IPV6 };
    let udp = outer.port.map(|source_port| {
        let length = u16::try_from(UdpHeader::LEN + outer.gue_header.len() + length);
        let length = length.expect("it fits an IP packet");
        let header =
            UdpHeader { source_port, destination_port: 6080, length, checksum: outer.checksum }.to_bytes();
        [header.as_slice(), &outer.gue_header].concat()
    });
    let tos = outer.tos.unwrap_or(packet.tos);
    let (protocol, udp) = match udp {
        Some(udp) => (IpNumber::UDP, udp),
        None => (inner, Vec::new()),
    };
    let payload_length = u16::try_from(udp.len() + length).expect("it fits an IP packet");
    let network = match (outer.source, outer.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header =
                Ipv4Header::new(payload_length, 64, protocol, source.octets(), destination.octets())
                    .expect("it fits an IPv4 packet");
            header.dscp = (tos >> 2).try_into().expect("six bits");
            header.ecn = (tos & 3).try_into().expect("two bits");
            header.header_checksum = header.calc_header_checksum();
            header.to_bytes().to_vec()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => Ipv6Header {
            traffic_class: tos,
            flow_label: outer.label.try_into().expect("twenty bits"),
            payload_length,
            next_header: protocol,
            hop_limit: 64,
            source: source.octets(),
            destination: destination.octets(),
        }
        .to_bytes()
        .to_vec(),
        (source, destination) => panic!("{source} and {destination} are of different families"),
    };
    [network, udp].concat()
}

fn internet6(packet: &PacketBuilder, source: [u8; 16], destination: [u8; 16], carried: usize) -> Vec<u8> {
    let mut numbers = packet.extensions.iter().map(|extension| extension.number).chain([protocol(packet)]);
    let first = numbers.next().unwrap_or_else(|| protocol(packet));
    let mut extensions = Vec::new();
    for (extension, next) in packet.extensions.iter().zip(numbers) {
        extensions.push(next);
        extensions.extend(&extension.body);
    }
    let header = Ipv6Header {
        traffic_class: packet.tos,
        payload_length: u16::try_from(extensions.len() + carried).expect("it fits an IPv6 packet"),
        next_header: IpNumber(first),
        hop_limit: packet.ttl,
        source,
        destination,
        ..Ipv6Header::default()
    };
    [header.to_bytes().as_slice(), &extensions].concat()
}

fn protocol(packet: &PacketBuilder) -> u8 {
    match packet.transport {
        Transport::Tcp { .. } => IpNumber::TCP.0,
        Transport::Udp { .. } => IpNumber::UDP.0,
        Transport::Icmp { .. } if packet.source.is_ipv4() => IpNumber::ICMP.0,
        Transport::Icmp { .. } => IpNumber::IPV6_ICMP.0,
        Transport::Other(protocol) => protocol,
    }
}

/// The transport header and the payload.
fn transport(packet: &PacketBuilder) -> Vec<u8> {
    let header = match &packet.transport {
        Transport::Tcp { .. } => tcp(packet),
        Transport::Udp { checksum } => udp(packet, *checksum),
        Transport::Icmp { kind, code, rest } => icmp(packet, [*kind, *code], *rest),
        Transport::Other(_) => Vec::new(),
    };
    [header, packet.payload.clone()].concat()
}

fn tcp(packet: &PacketBuilder) -> Vec<u8> {
    let Transport::Tcp { flags, sequence, acknowledgement, window, options } = &packet.transport else {
        return Vec::new();
    };
    let mut header = TcpHeader::new(packet.source.port(), packet.destination.port(), *sequence, *window);
    header.acknowledgment_number = *acknowledgement;
    header.set_options_raw(options).expect("up to ten words of options");
    header.fin = flags & FIN != 0;
    header.syn = flags & SYN != 0;
    header.rst = flags & RST != 0;
    header.psh = flags & PSH != 0;
    header.ack = flags & ACK != 0;
    header.checksum = match endpoints(packet) {
        Endpoints::V4(source, destination) => {
            header.calc_checksum_ipv4_raw(source, destination, &packet.payload)
        }
        Endpoints::V6(source, destination) => {
            header.calc_checksum_ipv6_raw(source, destination, &packet.payload)
        }
    }
    .expect("it fits an IP packet");
    header.to_bytes().to_vec()
}

fn udp(packet: &PacketBuilder, checksum: Checksum) -> Vec<u8> {
    let length = u16::try_from(UdpHeader::LEN + packet.payload.len()).expect("it fits an IP packet");
    let mut header = UdpHeader {
        source_port: packet.source.port(),
        destination_port: packet.destination.port(),
        length,
        checksum: 0,
    };
    if checksum == Checksum::Right {
        header.checksum = match endpoints(packet) {
            Endpoints::V4(source, destination) => {
                header.calc_checksum_ipv4_raw(source, destination, &packet.payload)
            }
            Endpoints::V6(source, destination) => {
                header.calc_checksum_ipv6_raw(source, destination, &packet.payload)
            }
        }
        .expect("it fits an IP packet");
    }
    header.to_bytes().to_vec()
}

fn icmp(packet: &PacketBuilder, [kind, code]: [u8; 2], rest: u32) -> Vec<u8> {
    let [a, b, c, d] = rest.to_be_bytes();
    let mut header = vec![kind, code, 0, 0, a, b, c, d];
    let checksum = match endpoints(packet) {
        Endpoints::V4(..) => internet_checksum(&[&header, &packet.payload]),
        Endpoints::V6(source, destination) => {
            let length = u32::try_from(header.len() + packet.payload.len()).expect("it fits an IPv6 packet");
            let pseudo =
                [&source[..], &destination, &length.to_be_bytes(), &[0, 0, 0, IpNumber::IPV6_ICMP.0]];
            internet_checksum(&[&pseudo.concat(), &header, &packet.payload])
        }
    };
    header[2..4].copy_from_slice(&checksum.to_be_bytes());
    header
}

enum Endpoints {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

fn endpoints(packet: &PacketBuilder) -> Endpoints {
    match (packet.source, packet.destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            Endpoints::V4(source.ip().octets(), destination.ip().octets())
        }
        (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
            Endpoints::V6(source.ip().octets(), destination.ip().octets())
        }
        (source, destination) => panic!("{source} and {destination} are of different families"),
    }
}

fn tell(lie: Lie, bytes: &mut [u8], network: usize, transport: usize) {
    let v4 = bytes[network] >> 4 == 4;
    let mut put = |at: usize, value: u16| bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    match lie {
        Lie::IpLength(length) => put(network + if v4 { 2 } else { 4 }, length),
        Lie::UdpLength(length) => put(transport + 4, length),
        Lie::Version(version) => bytes[network] = version << 4 | bytes[network] & 0x0f,
        Lie::HeaderWords(words) => bytes[network] = bytes[network] & 0xf0 | words,
        Lie::DataOffset(words) => bytes[transport + 12] = words << 4 | bytes[transport + 12] & 0x0f,
    }
}

/// A lie in the IPv4 header is the only thing that is wrong with it.
pub(crate) fn refresh_header_checksum(packet: &mut [u8]) {
    let length = (usize::from(packet[0] & 0x0f) * 4).clamp(20, packet.len());
    packet[10..12].fill(0);
    let checksum = internet_checksum(&[&packet[..length]]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

pub(crate) fn arp(source: IpAddr, target: IpAddr) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(target)) = (source, target) else {
        panic!("ARP is for IPv4");
    };
    let mac = [2, 0, 0, 0, 0, 0xff];
    let header = Ethernet2Header { source: mac, destination: [0xff; 6], ether_type: EtherType::ARP };
    let request = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &mac,
        &source.octets(),
        &[0; 6],
        &target.octets(),
    )
    .expect("lengths are those of the protocols");
    [header.to_bytes().as_slice(), &request.to_bytes()].concat()
}

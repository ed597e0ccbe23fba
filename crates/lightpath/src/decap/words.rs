//! Why packets are not unwrapped, in the words of an operator: what it means, and where to look.

use lightpath_core::Refusal;

/// What to think of the first packet that is refused for a reason.
pub(super) const fn meaning(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnlistedSource => {
            "tunnels come from addresses that are not listed: if they are a balancer's, add them to --from"
        }
        Refusal::OuterHeader => {
            "outer IP headers contradict themselves or their checksum: something damages packets"
        }
        Refusal::OuterLength => "outer lengths do not fit the packets: something cuts or damages them",
        Refusal::OuterOptions => {
            "outer headers have options, which Lightpath does not send: another sender uses a listed address (a kernel \
             tunnel is to be made with `encaplimit none`)"
        }
        Refusal::OuterFragment => {
            "tunnel packets come in fragments: raise the MTU between balancer and backend, or have the sender forbid \
             fragmenting"
        }
        Refusal::GueHeader => {
            "GUE headers are of a kind that is not understood: control messages, or with flags"
        }
        Refusal::InnerHeader => "what comes in tunnels is no IP packet: something else uses a listed address",
        Refusal::InnerLength => {
            "packets in tunnels are longer than the tunnels' own: something cuts or damages them"
        }
        Refusal::NotLocal => {
            "packets are for an address that this host does not have: make the VIP one, with `ip address add VIP dev lo`"
        }
        Refusal::Congestion => {
            "congestion was marked on packets whose senders do not understand it, so they are dropped (RFC 6040): a link \
             between balancer and backend is full"
        }
        Refusal::Rewrite => "packets cannot be moved in their buffers: the driver gives too small pieces",
    }
}

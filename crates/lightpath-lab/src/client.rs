//! Clients for the lab's servers, inside a namespace.

pub(crate) mod http;
pub(crate) mod udp;

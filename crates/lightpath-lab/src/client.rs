//! Clients for the lab's servers, inside a namespace.

pub(crate) mod closed_loop;
pub(crate) mod http;
pub(crate) mod udp;

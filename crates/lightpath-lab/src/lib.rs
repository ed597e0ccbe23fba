//! Network namespaces, links, addresses and small servers: the ground that `lightpath demo`, `lightpath bench` and the
//! integration tests stand on.
//!
//! Everything made here is held by file descriptors and threads of this process, nothing by a name in a file system.
//! When the process ends, however it ends, the kernel takes it all back.
//!
//! ```no_run
//! use lightpath_lab::topology::OneArmed;
//! use lightpath_lab::{http_get, serve_http};
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), lightpath_lab::Error> {
//! let lab = OneArmed::new(2)?;
//! let backend = &lab.backends[0];
//! let address = SocketAddr::new(backend.address.v4.into(), 80);
//! let _server = serve_http(&backend.ns, address, "backend1")?;
//!
//! let answer = http_get(&lab.client.ns, None, address, Duration::from_secs(1))?;
//! assert_eq!(answer.backend, "backend1");
//! # Ok(())
//! # }
//! ```
//!
//! Needs Linux with root's capabilities (`CAP_SYS_ADMIN`, `CAP_NET_ADMIN`), veth and bridge devices.

mod client;
mod error;
mod isolate;
mod link;
mod namespace;
mod netlink;
mod offload;
mod process;
mod route;
mod server;
mod sysctl;
mod sysfs;
pub mod topology;

pub use client::closed_loop::{Answered, ClosedLoop, Travel};
pub use client::http::{Answer, HttpConnection, Load, http_get};
pub use client::udp::UdpFlow;
pub use error::Error;
pub use ipnet::IpNet;
pub use isolate::isolate;
pub use link::veth;
pub use namespace::Namespace;
pub use offload::Offload;
pub use process::KillOnDrop;
pub use route::Route;
pub use server::echo::{AfterAnswer, EchoServer, serve_plain_udp_echo, serve_tcp_echo};
pub use server::http::{HttpServer, serve_http};
pub use server::udp::{UdpServer, serve_udp_echo};

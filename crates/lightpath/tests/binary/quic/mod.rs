//! QUIC: connections that have a backend's ID in theirs stay there, wherever their client is by now.

mod connections;
mod ids;
mod peer;

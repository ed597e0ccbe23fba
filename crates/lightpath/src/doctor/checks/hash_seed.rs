use lightpath_control::config::DEFAULT_HASH_SEED;

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// The seed of the flow hash is a secret of this cluster.
pub(super) fn look(around: &Surroundings) -> Vec<Finding> {
    let Ok(config) = &around.config else { return Vec::new() };
    if config.node.hash_seed != DEFAULT_HASH_SEED {
        return vec![Finding::ok("hash_seed", "set; all nodes of a cluster need the same")];
    }
    let why = "it is the same everywhere and public: a client can choose its ports so that all its flows meet at one backend";
    vec![
        Finding::hint("hash_seed", "not set", why)
            .mend("write one, the same on every node of a cluster, as printed by: openssl rand -hex 16"),
    ]
}

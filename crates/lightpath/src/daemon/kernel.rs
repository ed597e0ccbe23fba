//! The kernel's data plane, as the controller asks for one.

use lightpath_control::reconcile::Dataplane as Controlled;
use lightpath_core::host::{Changes, Image};
use lightpath_dataplane::{Dataplane, Error};

/// Lets the controller drive the data plane; neither crate knows the other.
#[derive(Debug)]
pub(crate) struct Kernel(pub(crate) Dataplane);

impl Controlled for Kernel {
    type Error = Error;

    fn apply(&mut self, image: &Image) -> Result<Changes, Error> {
        self.0.apply(image)
    }
}

//! The numbers that the packet path knows services and backends by.
//!
//! A number keeps its meaning while anything may refer to it: across reloads, and across restarts of the daemon, which reads
//! them back from the running tables.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lightpath_abi::{Address, BackendNumber, Role, ServiceIndex, Tag};
use lightpath_core::host::Image;

use crate::model::Backend;

/// A backend of a service, whoever has its number.
type Server = (ServiceIndex, IpAddr, u16);

/// Who has which number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbering {
    services: BTreeMap<(Address, Tag), ServiceIndex>,
    backends: BTreeMap<Server, BackendNumber>,
    taken: BTreeSet<BackendNumber>,
    last: BackendNumber,
}

/// Every number is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all 65,535 backend numbers are in use")]
pub struct Exhausted;

impl Numbering {
    /// The numbers in the running tables.
    pub(crate) fn of_running(image: &Image) -> Self {
        let services = image
            .entries
            .iter()
            .filter(|entry| entry.tag.role() == Some(Role::Service))
            .map(|entry| ((entry.address, entry.tag), entry.service))
            .collect();
        let backends: BTreeMap<Server, BackendNumber> = image
            .backends
            .iter()
            .map(|(number, backend)| ((backend.service, backend.address.to_ip(), backend.port), *number))
            .collect();
        let taken: BTreeSet<BackendNumber> = backends.values().copied().collect();
        let last = taken.last().copied().unwrap_or(0);
        Self { services, backends, taken, last }
    }

    /// The index of the service with these tags: that of whoever has its VIP, protocol and some of its ports now, else the
    /// lowest free one.
    /// `claimed` are the indices of other services of the same configuration.
    pub(crate) fn service(
        &mut self,
        vip: IpAddr,
        tags: &[Tag],
        claimed: &mut BTreeSet<ServiceIndex>,
    ) -> ServiceIndex {
        let address = Address::from(vip);
        let known = tags.iter().filter_map(|tag| self.services.get(&(address, *tag)));
        let index = known.copied().find(|index| !claimed.contains(index)).unwrap_or_else(|| {
            let taken: BTreeSet<ServiceIndex> = self.services.values().copied().collect();
            (1..ServiceIndex::MAX)
                .find(|index| !taken.contains(index) && !claimed.contains(index))
                .unwrap_or(ServiceIndex::MAX)
        });
        self.services.extend(tags.iter().map(|tag| ((address, *tag), index)));
        claimed.insert(index);
        index
    }

    /// The number of a backend of a service.
    ///
    /// A new one gets the number after the last one given out, so that a number which became free rests as long as possible
    /// before it means another server.
    pub(crate) fn backend(
        &mut self,
        service: ServiceIndex,
        backend: &Backend,
    ) -> Result<BackendNumber, Exhausted> {
        let server = (service, backend.address, backend.port.unwrap_or(0));
        if let Some(number) = self.backends.get(&server) {
            return Ok(*number);
        }
        let after = (self.last..=BackendNumber::MAX).skip(1);
        let number =
            after.chain(1..=self.last).find(|number| !self.taken.contains(number)).ok_or(Exhausted)?;
        self.backends.insert(server, number);
        self.taken.insert(number);
        self.last = number;
        Ok(number)
    }

    /// Frees the numbers that no line and no backend of `image` has.
    pub(crate) fn retain(&mut self, image: &Image) {
        let services: BTreeSet<(Address, Tag)> =
            image.entries.iter().map(|entry| (entry.address, entry.tag)).collect();
        self.services.retain(|line, _| services.contains(line));
        self.backends.retain(|_, number| image.backends.contains_key(number));
        self.taken.retain(|number| image.backends.contains_key(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: u8) -> Backend {
        Backend { address: [10, 0, 0, host].into(), port: Some(80), weight: 1, server_id: None }
    }

    /// The image of a service with these backends.
    fn image(numbers: &[(u8, BackendNumber)]) -> Image {
        let entry = |host| lightpath_abi::Backend {
            address: server(host).address.into(),
            service: 1,
            port: 80,
            ..lightpath_abi::Backend::default()
        };
        let backends = numbers.iter().map(|(host, number)| (*number, entry(*host))).collect();
        Image { backends, ..Image::default() }
    }

    #[test]
    fn a_number_that_became_free_is_the_last_to_be_given_out_again() {
        let mut numbering = Numbering::of_running(&image(&[(1, 1), (2, 2)]));
        numbering.retain(&image(&[(2, 2)]));
        // Servers of other services, until there is no number left.
        let servers = (2..).flat_map(|service| (0..=255).map(move |host| (service, server(host))));
        let given: Vec<BackendNumber> =
            servers.map_while(|(service, server)| numbering.backend(service, &server).ok()).collect();
        let expected: Vec<BackendNumber> = (3..=BackendNumber::MAX).chain([1]).collect();
        assert!(given == expected, "the last ones are {:?}", &given[given.len() - 3..]);
    }

    #[test]
    fn a_server_keeps_its_number_across_a_restart() {
        let running = image(&[(1, 7), (2, 3)]);
        let mut numbering = Numbering::of_running(&running);
        assert_eq!(numbering.backend(1, &server(2)), Ok(3));
        assert_eq!(numbering.backend(1, &server(1)), Ok(7));
        assert_eq!(numbering.backend(2, &server(1)), Ok(8), "behind another service it is another backend");
    }
}

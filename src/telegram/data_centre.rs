//! Telegram's own data centres, or simulated ones on this machine.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use grammers_session::types::DcOption;
use sha2::{Digest, Sha256};

use crate::config::TestDataCentre;

/// Where sessions connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataCentres {
    /// The addresses grammers knows, and what Telegram advertises.
    Telegram,
    /// `[telegram] test_data_centres`; never empty.
    Simulated(Vec<TestDataCentre>),
}

impl From<&crate::config::Telegram> for DataCentres {
    fn from(telegram: &crate::config::Telegram) -> Self {
        if telegram.test_data_centres.is_empty() {
            Self::Telegram
        } else {
            Self::Simulated(telegram.test_data_centres.clone())
        }
    }
}

impl DataCentres {
    /// Whether sessions are worth nothing outside this machine.
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }

    /// Whether connections use IPv6; only a simulated data centre can ask for that.
    pub fn use_ipv6(&self) -> bool {
        matches!(self, Self::Simulated(all) if all.iter().any(|one| one.address.is_ipv6()))
    }

    /// Where a new session begins.
    pub fn home(&self) -> Option<i32> {
        match self {
            Self::Telegram => None,
            Self::Simulated(all) => all.first().map(|one| one.id),
        }
    }

    /// Puts the addresses and the keys of the simulated data centres in place of what the session knows.
    ///
    /// Every number points to some simulated data centre, so that no test ever reaches Telegram.
    pub fn place(&self, account: &str, options: &mut BTreeMap<i32, DcOption>) {
        let Self::Simulated(all) = self else { return };
        let Some(first) = all.first() else { return };
        let numbers: Vec<i32> = options.keys().copied().chain(1..=5).collect();
        for id in numbers {
            let centre = all.iter().find(|one| one.id == id).unwrap_or(first);
            let (ipv4, ipv6) = match centre.address {
                SocketAddr::V4(v4) => (v4, SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0)),
                SocketAddr::V6(v6) => (SocketAddrV4::new(Ipv4Addr::LOCALHOST, v6.port()), v6),
            };
            let auth_key = match &centre.key_seed {
                _ if centre.id != id => None,
                Some(seed) => Some(derived_key(seed.expose(), account)),
                None => options.get(&id).and_then(|known| known.auth_key),
            };
            options.insert(id, DcOption { id, ipv4, ipv6, auth_key });
        }
    }
}

/// The key that `account` and a simulated data centre share without talking: eight SHA-256 digests over the seed, the name
/// and a counter. The same function stands in the data centre (`telegram_sim::derived_key`); a test compares the two.
pub fn derived_key(seed: &str, account: &str) -> [u8; 256] {
    let mut key = [0; 256];
    for (counter, chunk) in (0_u8..).zip(key.chunks_mut(32)) {
        let digest = Sha256::new()
            .chain_update(seed)
            .chain_update([0])
            .chain_update(account)
            .chain_update([0, counter])
            .finalize();
        chunk.copy_from_slice(&digest);
    }
    key
}

//! Networks of clients: what attempts and connections are counted by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Where a client is: its IPv4 address, or the /64 of its IPv6 address, since whoever has one
/// IPv6 address usually has the whole of that network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    /// The network that an address is in.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
            v4 => v4,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_counted_together() -> Result<(), std::net::AddrParseError>
    {
        let network = |text: &str| text.parse().map(Network::of);
        assert_eq!(network("2001:db8::1")?, network("2001:db8::ffff:2")?);
        assert_ne!(network("2001:db8::1")?, network("2001:db8:0:1::1")?);
        assert_eq!(network("::ffff:192.0.2.1")?, network("192.0.2.1")?);
        assert_ne!(network("192.0.2.1")?, network("192.0.2.2")?);
        Ok(())
    }
}

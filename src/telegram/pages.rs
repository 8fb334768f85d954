//! Getting the page of a button: one GET, from the hosts that the task names, and nothing in the answer is carried out.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::script::Page;

/// The most that is read of a page, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// Which machines may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public internet.
    Public,
    /// All: the data centre is simulated, and so may be the pages of its bots.
    Anywhere,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Who answered last.
    pub host: String,
    /// The status of HTTP.
    pub status: u16,
}

/// Why a page was not got. No text of these holds an address beyond its host: the rest may tell who opens it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The page learned of nothing, or refused.
    #[error("{0}")]
    NotDone(String),
    /// A host was asked, and may have done what it is there for.
    #[error("{0}")]
    NotKnown(String),
}

/// Whether the task names the host of this address, and the address is one that is opened at all.
pub fn check(url: &str, page: &Page, reach: Reach) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|_| "the link is no address".to_owned())?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" {
        return Err(format!("the link to {host} is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("the link to {host} holds a name or a password"));
    }
    let port = url.port_or_known_default().unwrap_or_default();
    if !page.hosts.iter().any(|allowed| allowed.is(host, port)) {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        return Err(format!("the link leads to {host}{port}, which the step does not name under `hosts`"));
    }
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
        && !reach.allows(address)
    {
        return Err(PrivateAddress(host.to_owned()).to_string());
    }
    Ok(url)
}

/// Gets the page within `limit`. It goes out directly: a proxy would hide which address it is connected to.
pub async fn open(url: &str, page: &Page, reach: Reach, limit: Duration) -> Result<Opened, PageError> {
    // Another part of the process may have chosen a provider before; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(true)
        .dns_resolver(Resolver(reach))
        .user_agent(concat!("tgsignd/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| PageError::NotDone(format!("HTTP cannot be spoken: {}", error.without_url())))?;
    let first = check(url, page, reach).map_err(PageError::NotDone)?;
    let asked = std::sync::atomic::AtomicBool::new(false);
    let late = |_| {
        let reason = format!("the page did not answer within {}s", limit.as_secs());
        if asked.load(std::sync::atomic::Ordering::Relaxed) {
            PageError::NotKnown(reason)
        } else {
            PageError::NotDone(reason)
        }
    };
    let follow = async {
        let mut next = first;
        for _ in 0..=MOST_REDIRECTS {
            let host = next.host_str().unwrap_or_default().to_owned();
            let response = match client.get(next.clone()).send().await {
                Ok(response) => response,
                Err(error) if error.is_connect() && !asked.load(std::sync::atomic::Ordering::Relaxed) => {
                    return Err(PageError::NotDone(explain(&host, &error)));
                }
                Err(error) => return Err(PageError::NotKnown(explain(&host, &error))),
            };
            asked.store(true, std::sync::atomic::Ordering::Relaxed);
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return read(response, host).await;
            }
            let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
            let target = target.and_then(|target| next.join(target).ok());
            let target = target.ok_or_else(|| PageError::NotKnown(format!("{host} redirects to nowhere")))?;
            next = check(target.as_str(), page, reach)
                .map_err(|reason| PageError::NotKnown(format!("after a redirect of {host} {reason}")))?;
        }
        Err(PageError::NotKnown(format!("there were more than {MOST_REDIRECTS} redirects")))
    };
    tokio::time::timeout(limit, follow).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// Reads as much of the page as is allowed, so that its server is done with it, and forgets it.
async fn read(mut response: Response, host: String) -> Result<Opened, PageError> {
    let status = response.status();
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes += chunk.len();
        if bytes > LARGEST {
            break;
        }
    }
    let answered = format!("{host} answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(Opened { host, status: status.as_u16() }),
        400..=499 => Err(PageError::NotDone(answered)),
        _ => Err(PageError::NotKnown(answered)),
    }
}

/// Without the address.
fn explain(host: &str, error: &reqwest::Error) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(private) = cause.downcast_ref::<PrivateAddress>() {
            return private.to_string();
        }
        source = cause.source();
    }
    if error.is_connect() { format!("{host} cannot be reached") } else { format!("the connection to {host} broke") }
}

/// A name that leads where nothing may be asked.
#[derive(Debug)]
struct PrivateAddress(String);

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is an address of this machine or of a local network, which is never opened", self.0)
    }
}

impl Error for PrivateAddress {}

/// Looks names up, and gives only addresses that may be connected to.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.iter().copied().filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(PrivateAddress(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        self == Self::Anywhere
            || match address {
                IpAddr::V4(address) => is_public(address),
                IpAddr::V6(address) => is_public_v6(address),
            }
    }
}

/// Not for special purposes (<https://www.iana.org/assignments/iana-ipv4-special-registry>).
fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Global unicast, and where an IPv4 address is inside it, that one is public too
/// (<https://www.iana.org/assignments/iana-ipv6-special-registry>).
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public(inner);
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| is_public(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and other assignments of the protocol's own, documentation.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [first, ..] => first & 0xe000 == 0x2000 && first & 0xfff0 != 0x3ff0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn page(hosts: &[&str]) -> Page {
        Page { hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(), authorise: false }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_connected_to() {
        for (address, allowed) in [
            ("1.1.1.1", true),
            ("149.154.167.51", true),
            ("127.0.0.1", false),
            ("127.8.9.10", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("0.0.0.0", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:1.1.1.1", true),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::101:101", true),
            ("2002:7f00:1::", false),
            ("2002:0a00:1::", false),
        ] {
            assert_eq!(Reach::Public.allows(address.parse().unwrap()), allowed, "{address}");
            assert!(Reach::Anywhere.allows(address.parse().unwrap()));
        }
    }

    #[test]
    fn only_hosts_that_the_task_names_are_opened() {
        let page = page(&["sign.example", "127.0.0.1", "2130706433", "localhost:8443"]);
        for (url, refusal) in [
            ("https://sign.example/a?b=c#d", None),
            ("https://SIGN.example./", None),
            ("https://sign.example:443/", None),
            ("https://localhost:8443/", None),
            ("http://sign.example/", Some("not https")),
            ("javascript:alert(1)", Some("not https")),
            ("tg://resolve?domain=x", Some("not https")),
            ("https://sign.example:8443/", Some("leads to sign.example:8443")),
            ("https://evil.example/", Some("leads to evil.example")),
            ("https://sign.example.evil.example/", Some("leads to")),
            ("https://sign.example@evil.example/", Some("a name or a password")),
            ("https://evil.example/sign.example", Some("leads to evil.example")),
            ("https://sign.example\\@evil.example/", None),
            ("https://evil.example%2fsign.example/", Some("no address")),
            ("https://127.0.0.1/", Some("never opened")),
            ("https://2130706433/", Some("never opened")),
            ("https://0x7f.1/", Some("never opened")),
            ("https://[::1]/", Some("leads to")),
            ("sign.example", Some("no address")),
        ] {
            let checked = check(url, &page, Reach::Public);
            match refusal {
                None => {
                    let url = checked.unwrap();
                    assert!(["sign.example", "sign.example.", "localhost"].contains(&url.host_str().unwrap()), "{url}");
                }
                Some(refusal) => {
                    let reason = checked.unwrap_err();
                    assert!(reason.contains(refusal), "{url}: {reason}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_when_it_is_connected_to() {
        let opened =
            open("https://localhost:9/", &page(&["localhost:9"]), Reach::Public, Duration::from_secs(20)).await;
        let Err(PageError::NotDone(reason)) = opened else { panic!("{opened:?}") };
        assert_eq!(reason, "localhost is an address of this machine or of a local network, which is never opened");
    }
}

//! Hosts that a task names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The port of `https`.
const HTTPS: u16 = 443;

/// A host and a port, as a task writes them: `sign.example.com` or `sign.example.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host {
    name: String,
    port: u16,
}

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a host: write it as in \"sign.example.com\", without https:// and without a path")]
pub struct NoHost;

impl Host {
    /// Whether this host is meant; `name` is in the form of a parsed URL (lower case, Punycode), `port` the one that is used.
    pub fn is(&self, name: &str, port: u16) -> bool {
        self.name == name.strip_suffix('.').unwrap_or(name) && self.port == port
    }
}

impl std::str::FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok().filter(|port| *port != 0).ok_or(NoHost)?),
            None => (text, HTTPS),
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err(NoHost);
        }
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

impl TryFrom<String> for Host {
    type Error = NoHost;

    fn try_from(text: String) -> Result<Self, NoHost> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            HTTPS => f.write_str(&self.name),
            port => write!(f, "{}:{port}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[test]
    fn hosts_are_names_with_a_port() {
        for (text, shown) in [
            ("sign.example.com", Some("sign.example.com")),
            ("Sign.Example.COM:443", Some("sign.example.com")),
            ("localhost:8443", Some("localhost:8443")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("xn--fiqs8s.example", Some("xn--fiqs8s.example")),
            ("https://sign.example.com", None),
            ("sign.example.com/path", None),
            ("签到.example", None),
            ("user@sign.example.com", None),
            ("sign.example.com:0", None),
            ("sign.example.com:99999", None),
            ("*.example.com", None),
            ("example..com", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Host>().ok().map(|host| host.to_string()).as_deref(), shown, "{text}");
        }
        let host: Host = "sign.example.com".parse().unwrap();
        for (name, port, same) in [
            ("sign.example.com", 443, true),
            ("sign.example.com.", 443, true),
            ("sign.example.com", 8443, false),
            ("evil.sign.example.com", 443, false),
            ("sign.example.com.evil.example", 443, false),
        ] {
            assert_eq!(host.is(name, port), same, "{name}:{port}");
        }
        let json = serde_json::to_string(&host).unwrap();
        assert_eq!(serde_json::from_str::<Host>(&json).unwrap(), host);
    }
}

//! Values with a syntax of their own: secrets, proxies, time zones.

use std::path::{Path, PathBuf};

use crate::schedule::Zone;
use chrono::NaiveTime;

use crate::config::document::Place;
use crate::config::reader::Value;
use crate::config::secret::{Secret, SecretRef};
use crate::config::snapshot::ProxyUrl;
use crate::config::suggest;

/// The secret itself, or where it is kept.
pub(super) fn secret(value: Value<'_>) -> Option<SecretRef> {
    if !value.is_table() {
        return value.text().map(|text| SecretRef::Inline(Secret::new(text.to_owned())));
    }
    let mut table = value.table()?;
    let file = table.take("file").and_then(|value| {
        let path = value.text()?;
        if Path::new(path).is_absolute() && !path.contains('\0') {
            Some(SecretRef::File(PathBuf::from(path)))
        } else {
            value.refuse("`file` must be an absolute path, such as \"/etc/credstore/api-hash\"")
        }
    });
    let env = table.take("env").and_then(|value| {
        let name = value.text()?;
        let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if word && !name.starts_with(|c: char| c.is_ascii_digit()) {
            Some(SecretRef::Env(name.to_owned()))
        } else {
            value.refuse("`env` must be the name of an environment variable: letters, digits and _, no digit first")
        }
    });
    let credential = table.take("credential").and_then(|value| {
        let name = value.text()?;
        if name.contains(['/', '\0']) || name == "." || name == ".." {
            value.refuse("`credential` must be the name of a systemd credential, without a slash")
        } else {
            Some(SecretRef::Credential(name.to_owned()))
        }
    });
    let sound = table.is_sound();
    table.finish();
    let place = file.or(env).or(credential).optional()??;
    sound.then_some(place)
}

/// `socks5://[user:password@]host:port`
pub(super) fn proxy(place: Place<'_>, text: &str) -> Option<ProxyUrl> {
    match check_proxy(text) {
        Ok(()) => Some(ProxyUrl(Secret::new(text.to_owned()))),
        Err(reason) => {
            place.error_with_hint(
                format!("proxy: {reason}"),
                "write \"socks5://host:port\" or \
                \"socks5://user:password@host:port\""
                    .to_owned(),
            );
            None
        }
    }
}

fn check_proxy(text: &str) -> Result<(), &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    match scheme.to_ascii_lowercase().as_str() {
        "socks5" if scheme == "socks5" => {}
        "socks5" => return Err("the scheme must be in lower case"),
        "http" | "https" => return Err("HTTP proxies are not supported, Telegram is not reached over HTTP"),
        "socks4" | "socks4a" => return Err("SOCKS4 is not supported, only SOCKS5"),
        "socks5h" => return Err("the scheme is socks5; Telegram is reached by address, there is no name to resolve"),
        "mtproto" | "tg" => return Err("MTProto proxies are not supported, only SOCKS5"),
        _ => return Err("only SOCKS5 proxies are supported"),
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#\\".contains(c)) {
        return Err("nothing may follow the port");
    }
    let (user, address) = authority.rsplit_once('@').map_or((None, authority), |(user, address)| (Some(user), address));
    if let Some(user) = user {
        let (name, password) = user.split_once(':').ok_or("the user has no password")?;
        // The connection hands both to the proxy as a URL spells them, without decoding %XX.
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,".contains(&byte))
        };
        if !plain(name) || !plain(password) {
            return Err("user and password may only have letters, digits and -._~!$&'()*+,");
        }
    }
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err("the port must be a number from 1 to 65535");
    }
    let is_address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    match host.strip_prefix('[') {
        Some(rest) if rest.strip_suffix(']').is_some_and(is_address) => Ok(()),
        Some(_) => Err("what is in brackets is not an IPv6 address"),
        None if host.contains(':') => Err("an IPv6 address is written in brackets"),
        None if is_host(host) => Ok(()),
        None => Err("the host is missing or has characters that no host name has"),
    }
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// Places whose name people expect among the zones and do not find there.
const NO_ZONES: [(&str, &str); 3] =
    [("Asia/Beijing", "Asia/Shanghai"), ("Asia/Shenzhen", "Asia/Shanghai"), ("Asia/Guangzhou", "Asia/Shanghai")];

/// An IANA time zone.
pub(super) fn timezone(value: Value<'_>) -> Option<Zone> {
    let text = value.text()?;
    text.parse::<Zone>().ok().or_else(|| {
        let known = NO_ZONES.iter().find(|(name, _)| *name == text).map(|(_, zone)| *zone);
        let hint = match known.or_else(|| suggest::closest(text, Zone::names())) {
            Some(zone) => format!("did you mean \"{zone}\"?"),
            None => "write an IANA name such as \"Asia/Shanghai\", \"Europe/Berlin\" or \"UTC\"".to_owned(),
        };
        value.place().error_with_hint(format!("there is no time zone {text:?}"), hint);
        None
    })
}

/// A time of day, `HH:MM`.
pub(super) fn clock(value: &Value<'_>, text: &str) -> Option<NaiveTime> {
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|time| time.format("%H:%M").to_string() == text);
    let name = value.name();
    time.or_else(|| {
        value.refuse(format!("`{name}` must be a time of day, hours and minutes with two digits, such as \"22:00\""))
    })
}

/// The two ends of a stretch of the day, which may reach over midnight.
pub(super) fn clock_pair(value: Value<'_>) -> Option<(NaiveTime, NaiveTime)> {
    let (name, place) = (value.name().to_owned(), value.place());
    let times: Vec<_> = value
        .list()?
        .into_iter()
        .map(|entry| {
            let text = entry.text()?;
            clock(&entry, text)
        })
        .collect::<Option<Vec<_>>>()?;
    match times[..] {
        [from, until] if from != until => Some((from, until)),
        _ => {
            let hint = format!("write {name} = [\"23:00\", \"07:00\"]");
            place.error_with_hint(format!("`{name}` takes two different times of day"), hint);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_socks5_addresses_are_proxies() {
        for good in ["socks5://127.0.0.1:1080", "socks5://proxy.example:1/", "socks5://u:p-!@[::1]:65535"] {
            assert_eq!(check_proxy(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:1080",
            "http://h:1",
            "https://h:1",
            "SOCKS5://h:1",
            "socks5h://h:1",
            "socks4://h:1",
            "ftp://h:1",
            "socks5://h",
            "socks5://h:0",
            "socks5://h:65536",
            "socks5://h:+1",
            "socks5://:1",
            "socks5://::1:1",
            "socks5://[::g]:1",
            "socks5://h:1/path",
            "socks5://h:1?x",
            "socks5://u@h:1",
            "socks5://:p@h:1",
            "socks5://u:@h:1",
            "socks5://u:p@q@h:1",
            "socks5://u:%40@h:1",
            "socks5://a b:1",
            "socks5://\u{7}:1",
        ] {
            assert!(check_proxy(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hints_for_places_that_are_no_zones_are_zones() {
        for (place, zone) in NO_ZONES {
            assert!(place.parse::<Zone>().is_err(), "{place}");
            assert!(zone.parse::<Zone>().is_ok(), "{zone}");
        }
    }
}

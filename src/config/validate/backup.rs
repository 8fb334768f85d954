//! `[backup]` and the `TG_SIGNER_BACKUP_…` variables.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use age::x25519::Recipient;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::environment::Environment;
use super::value;
use super::webdav::{address, remote_path};
use crate::config::document::Place;
use crate::config::reader::{Field, TableReader, Value};
use crate::config::secret::{Secret, SecretRef};
use crate::config::snapshot::{Backup, BackupKeys, Keep, WebdavCredentials};

const URL: &str = "TG_SIGNER_BACKUP_WEBDAV_URL";
const USERNAME: &str = "TG_SIGNER_BACKUP_WEBDAV_USERNAME";
const PASSWORD: &str = "TG_SIGNER_BACKUP_WEBDAV_PASSWORD";
const REMOTE_PATH: &str = "TG_SIGNER_BACKUP_REMOTE_PATH";
const INTERVAL: &str = "TG_SIGNER_BACKUP_INTERVAL_SECONDS";
const ENCRYPTION_KEY: &str = "TG_SIGNER_BACKUP_ENCRYPTION_KEY";

/// Bounds of `interval`, in seconds, as the table of keys has them for the file.
const INTERVALS: std::ops::RangeInclusive<u64> = 10..=86_400;

/// What the table says; the variables win over some of it.
#[derive(Default)]
struct Parts<'a> {
    url: Option<(String, Place<'a>)>,
    username: Option<String>,
    password: Option<SecretRef>,
    remote_path: Option<String>,
    interval: Option<Duration>,
    encryption_key: Option<SecretRef>,
    recipients: Option<Vec<String>>,
    identity: Option<SecretRef>,
    trusted: Option<Vec<String>>,
    allow_http: Option<bool>,
    ca: Option<PathBuf>,
    min_gap: Option<Duration>,
    level: Option<u32>,
    keep: Option<Keep>,
    drill: Option<Duration>,
}

/// Which parts of the table are wrong; the findings have been made.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each group of keys that is judged together")]
struct Wrong {
    url: bool,
    credentials: bool,
    keys: bool,
    other: bool,
}

/// `None` when something is wrong, `Some(None)` when no backup is wanted.
#[expect(clippy::option_option, reason = "the outer one ends the caller with `?`")]
pub(in crate::config) fn backup(
    table: Option<TableReader<'_>>,
    environment: &Environment<'_>,
) -> Option<Option<Backup>> {
    let table_place = table.as_ref().map(TableReader::place);
    let (mut parts, wrong) = table.map(parts).unwrap_or_default();
    let variables = variables(environment)?;
    parts.url = variables.url.or(parts.url);
    parts.username = variables.username.or(parts.username);
    parts.password = variables.password.or(parts.password);
    parts.remote_path = variables.remote_path.or(parts.remote_path);
    parts.interval = variables.interval.or(parts.interval);
    if variables.encryption_key.is_some() {
        (parts.recipients, parts.identity) = (None, None);
        parts.encryption_key = variables.encryption_key;
    }
    let url = parts.url.take();
    // Variables without an address may be meant for another program; a table is meant for us.
    let Some(place) = url.as_ref().map(|(_, place)| *place).or(table_place) else { return Some(None) };
    if url.is_none() && !wrong.url {
        let hint = format!("write the address of your WebDAV server, or set {URL}");
        place.error_with_hint("[backup] has no `url`", hint);
    }
    let allow_http = parts.allow_http.unwrap_or(false);
    let url = url.and_then(|(url, place)| address(&url, allow_http, place));
    let credentials = if wrong.credentials { None } else { credentials(parts.username, parts.password, place) };
    let keys = if wrong.keys { None } else { keys(parts.recipients, parts.identity, parts.encryption_key, place) };
    let usual = Backup::at(url?, keys?);
    let backup = Backup {
        allow_http,
        credentials: credentials?,
        remote_path: parts.remote_path.unwrap_or(usual.remote_path),
        ca: parts.ca,
        interval: parts.interval.unwrap_or(usual.interval),
        min_gap: parts.min_gap.unwrap_or(usual.min_gap),
        trusted: parts.trusted.unwrap_or_default(),
        level: parts.level.unwrap_or(usual.level),
        keep: parts.keep.unwrap_or(usual.keep),
        drill: parts.drill.unwrap_or(usual.drill),
        ..usual
    };
    (!wrong.url && !wrong.other).then_some(Some(backup))
}

fn parts(mut table: TableReader<'_>) -> (Parts<'_>, Wrong) {
    /// The value; what is wrong is noted.
    fn valid<T>(field: Field<T>, wrong: &mut bool) -> Option<T> {
        field.optional().unwrap_or_else(|| {
            *wrong = true;
            None
        })
    }
    let mut wrong = Wrong::default();
    let url = table.take("url").and_then(|value| Some((value.text()?.to_owned(), value.place())));
    let username = table.take("username").and_then(|value| Some(value.text()?.to_owned()));
    let remote_path = table.take("remote_path").and_then(|value| remote_path(value.text()?, value.place()));
    let ca = table.take("ca").and_then(|value| Some(PathBuf::from(value.text()?)));
    let level = table.take("level").and_then(|value| u32::try_from(value.integer()?).ok());
    let parts = Parts {
        url: valid(url, &mut wrong.url),
        username: valid(username, &mut wrong.credentials),
        password: valid(table.take("password").and_then(value::secret), &mut wrong.credentials),
        recipients: valid(table.take("recipients").and_then(recipients), &mut wrong.keys),
        identity: valid(table.take("identity").and_then(value::secret), &mut wrong.keys),
        encryption_key: valid(table.take("encryption_key").and_then(value::secret), &mut wrong.keys),
        remote_path: valid(remote_path, &mut wrong.other),
        interval: valid(table.take("interval").and_then(Value::duration), &mut wrong.other),
        min_gap: valid(table.take("min_gap").and_then(Value::duration), &mut wrong.other),
        trusted: valid(table.take("trusted").and_then(trusted), &mut wrong.other),
        allow_http: valid(table.take("allow_http").and_then(Value::flag), &mut wrong.other),
        ca: valid(ca, &mut wrong.other),
        level: valid(level, &mut wrong.other),
        keep: valid(table.take("keep").and_then(keep), &mut wrong.other),
        drill: valid(table.take("drill").and_then(Value::duration), &mut wrong.other),
    };
    wrong.other |= !table.is_sound();
    table.finish();
    (parts, wrong)
}

fn variables<'a>(environment: &'a Environment<'_>) -> Option<Parts<'a>> {
    let text = |name| environment.get(name).map(|(text, _)| text.to_owned());
    let secret = |name| text(name).map(|text| SecretRef::Inline(Secret::new(text)));
    let field = |name| environment.get(name).map_or(Field::Absent, Field::Valid);
    let remote_path = field(REMOTE_PATH).and_then(|(text, place)| remote_path(text, place));
    let interval = field(INTERVAL).and_then(|(text, place)| seconds(text, place));
    Some(Parts {
        url: environment.get(URL).map(|(text, place)| (text.to_owned(), place)),
        username: text(USERNAME),
        password: secret(PASSWORD),
        remote_path: remote_path.optional()?,
        interval: interval.optional()?,
        encryption_key: secret(ENCRYPTION_KEY),
        ..Parts::default()
    })
}

fn seconds(text: &str, place: Place<'_>) -> Option<Duration> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| INTERVALS.contains(seconds));
    if seconds.is_none() {
        place.error(format!("it must be a number of seconds from {} to {}", INTERVALS.start(), INTERVALS.end()));
    }
    seconds.map(Duration::from_secs)
}

/// `Some(None)`: the server asks for none.
#[expect(clippy::option_option, reason = "the outer one ends the caller with `?`")]
fn credentials(
    username: Option<String>,
    password: Option<SecretRef>,
    place: Place<'_>,
) -> Option<Option<WebdavCredentials>> {
    let problem = match (username, password) {
        (None, None) => return Some(None),
        (Some(username), Some(_)) if username.contains(':') => "a user name of HTTP Basic cannot contain a colon",
        (Some(username), Some(password)) => return Some(Some(WebdavCredentials { username, password })),
        (Some(_), None) => "the backup has a `username` and no `password`",
        (None, Some(_)) => "the backup has a `password` and no `username`",
    };
    place.error_with_hint(problem, format!("set both in [backup], or as {USERNAME} and {PASSWORD}"));
    None
}

fn recipients(value: Value<'_>) -> Option<Vec<String>> {
    let read = value.list()?.into_iter().map(|value| {
        let text = value.text()?;
        match Recipient::from_str(text) {
            Ok(_) => Some(text.to_owned()),
            Err(_) => value.refuse("this is not an age recipient; `age-keygen` prints one as \"public key\""),
        }
    });
    let all: Vec<_> = read.collect();
    all.into_iter().collect()
}

fn trusted(value: Value<'_>) -> Option<Vec<String>> {
    let read = value.list()?.into_iter().map(|value| {
        let text = value.text()?;
        let encoded = text.strip_prefix("ed25519:").and_then(|text| BASE64_STANDARD_NO_PAD.decode(text).ok());
        if encoded.is_some_and(|bytes| bytes.len() == 32) {
            Some(text.to_owned())
        } else {
            value.refuse("this is not a signing key; `tgsignd backup key` on the other host prints it as \"ed25519:…\"")
        }
    });
    let all: Vec<_> = read.collect();
    all.into_iter().collect()
}

fn keys(
    recipients: Option<Vec<String>>,
    identity: Option<SecretRef>,
    encryption_key: Option<SecretRef>,
    place: Place<'_>,
) -> Option<BackupKeys> {
    let (problem, hint) = match (recipients, identity, encryption_key) {
        (Some(recipients), identity, None) => return Some(BackupKeys::Age { recipients, identity }),
        (None, None, Some(secret)) => return Some(BackupKeys::Derived(secret)),
        (None, Some(_), None) => (
            "the backup has an `identity` and no `recipients`",
            "write the public key of the identity, and that of an offline recovery key, as `recipients`".to_owned(),
        ),
        (None, None, None) => (
            "nothing says who can read the backup",
            format!("write `recipients = [\"age1…\"]` in [backup] (age-keygen makes a key), or set {ENCRYPTION_KEY}"),
        ),
        (_, _, Some(_)) => (
            "the backup has `encryption_key` beside `recipients` or `identity`",
            "keep one of the two: from `encryption_key` both others are derived".to_owned(),
        ),
    };
    place.error_with_hint(problem, hint);
    None
}

fn keep(value: Value<'_>) -> Option<Keep> {
    let mut table = value.table()?;
    let mut count = |name| table.take(name).and_then(|value| usize::try_from(value.integer()?).ok());
    let (last, daily, weekly) = (count("last"), count("daily"), count("weekly"));
    let sound = table.is_sound();
    table.finish();
    let usual = Keep::default();
    let keep = Keep {
        last: last.or_default(usual.last)?,
        daily: daily.or_default(usual.daily)?,
        weekly: weekly.or_default(usual.weekly)?,
    };
    sound.then_some(keep)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;
    use crate::config::{self, FileContent, Sources};

    /// The public key of a published test vector of age.
    const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    fn load(settings: &str, environment: &[(&str, &str)]) -> Result<Option<Backup>, String> {
        let text = format!("version = 1\n{settings}");
        let files = [("tgsignd.toml".to_owned(), FileContent::Bytes(text.into_bytes()))].into();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match config::load(&Sources { files, environment }) {
            Ok(loaded) => Ok(loaded.snapshot.backup),
            Err(findings) => Err(findings.iter().map(|finding| format!("{finding}\n")).collect()),
        }
    }

    #[test]
    fn a_container_needs_nothing_but_variables() {
        assert_eq!(load("", &[(PASSWORD, "secret")]), Ok(None), "no address, no backup");
        let secret = "0123456789abcdef0123456789abcdef";
        let found = load(
            "",
            &[
                (URL, "https://dav.example.com/dav"),
                (USERNAME, "alice"),
                (PASSWORD, "hunter22"),
                (REMOTE_PATH, "/backup/box"),
                (INTERVAL, "90"),
                (ENCRYPTION_KEY, secret),
            ],
        );
        let backup = found.unwrap().unwrap();
        assert_eq!(backup.url, "https://dav.example.com/dav/");
        assert_eq!((backup.remote_path.as_str(), backup.interval), ("/backup/box", Duration::from_secs(90)));
        assert!(matches!(backup.keys, BackupKeys::Derived(_)));
        let shown = format!("{backup:?}");
        assert!(!shown.contains(secret) && !shown.contains("hunter22"), "{shown}");
    }

    #[test]
    fn variables_win_over_the_table() {
        let table = format!("[backup]\nurl = 'https://one/'\nrecipients = ['{RECIPIENT}']\ninterval = '1h'");
        let backup = load(&table, &[(URL, "https://two/")]).unwrap().unwrap();
        assert_eq!((backup.url.as_str(), backup.interval), ("https://two/", Duration::from_hours(1)));
        assert!(matches!(backup.keys, BackupKeys::Age { identity: None, .. }));
        let derived = load(&table, &[(ENCRYPTION_KEY, "x")]).unwrap().unwrap();
        assert!(matches!(derived.keys, BackupKeys::Derived(_)));
    }

    #[test]
    fn what_would_be_unsafe_or_unusable_is_refused_at_its_place() {
        let key = format!("recipients = ['{RECIPIENT}']");
        for (table, says) in [
            (
                format!("url = 'http://dav.example.com/'\n{key}"),
                "tgsignd.toml:3:7: error: the address must begin with https",
            ),
            (format!("url = 'https://a:b@dav/'\n{key}"), "must not hold a user name"),
            (key.clone(), "[backup] has no `url`"),
            ("url = 'https://h/'".to_owned(), "nothing says who can read"),
            ("url = 'https://h/'\nrecipients = ['age1qqqq']".to_owned(), "not an age recipient"),
            (format!("url = 'https://h/'\nencryption_key = 'x'\n{key}"), "beside `recipients`"),
            (format!("url = 'https://h/'\nusername = 'a'\n{key}"), "no `password`"),
            (format!("url = 'https://h/'\nremote_path = '/a/../b'\n{key}"), "not a path on the server"),
            (format!("url = 'https://h/'\nkeep = {{ last = 1 }}\n{key}"), "from 3 to 500"),
        ] {
            let refusal = load(&format!("[backup]\n{table}"), &[]).unwrap_err();
            assert!(refusal.contains(says), "{table}\n{refusal}");
            assert!(!refusal.contains("a:b"), "{refusal}");
        }
        let refusal =
            load("[backup]\nurl = 'http://dav.example.com/'\nintervall = '5m'\nlevel = 10\nusername = 'a'", &[]);
        let refusal = refusal.unwrap_err();
        for says in ["must begin with https", "intervall", "`level` must be", "no `password`", "nothing says who"] {
            assert!(refusal.contains(says), "{says}: one error hides another\n{refusal}");
        }
        for allowed in ["http://127.0.0.1:8080/", "http://[::1]:80/", "http://localhost/"] {
            load(&format!("[backup]\nurl = '{allowed}'\n{key}"), &[]).unwrap().unwrap();
        }
        let refusal = load("", &[(URL, "https://h/"), (INTERVAL, "5"), (ENCRYPTION_KEY, "x")]).unwrap_err();
        assert!(refusal.contains("$TG_SIGNER_BACKUP_INTERVAL_SECONDS") && refusal.contains("10 to 86400"), "{refusal}");
    }
}

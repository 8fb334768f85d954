//! `[telegram]`, `[http]`, `[log]` and `[history]`, each with the variables that win over it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::environment::Environment;
use super::value;
use crate::config::document::Place;
use crate::config::reader::{Field, TableReader, Value};
use crate::config::secret::{Secret, SecretRef};
use crate::config::snapshot::{Api, Connect, Guard, History, Http, Listen, Log, LogFormat, Telegram, TestDataCentre};
use crate::config::suggest;

/// Where the listener binds when nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);
const DEFAULT_LEVEL: &str = "info";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const DAY: Duration = Duration::from_hours(24);

/// `[telegram]`, `TG_API_ID`, `TG_API_HASH` and `TG_PROXY`.
pub(in crate::config) fn telegram(table: Option<TableReader<'_>>, environment: &Environment<'_>) -> Option<Telegram> {
    let mut sound = true;
    let (mut id, mut hash) = (Field::Absent, Field::Absent);
    let (mut proxy, mut connect, mut test_data_centres) = (Field::Absent, Field::Absent, Field::Absent);
    if let Some(mut table) = table {
        id = table.take("api_id").and_then(|value| Some((i32::try_from(value.integer()?).ok()?, value.key_place())));
        hash = table.take("api_hash").and_then(|value| Some((value::secret(value)?, value.key_place())));
        proxy = table.take("proxy").and_then(|value| value::proxy(value.place(), value.text()?));
        connect = table.take("connect").and_then(|value| value.word(connect_word));
        test_data_centres = table.take("test_data_centres").and_then(data_centres);
        sound = table.is_sound();
        table.finish();
    }
    if let Some((text, place)) = environment.get("TG_API_ID") {
        id = Field::Valid(text).and_then(|text| api_id(text, place)).and_then(|id| Some((id, place)));
    }
    if let Some((text, place)) = environment.get("TG_API_HASH") {
        hash = Field::Valid((SecretRef::Inline(Secret::new(text.to_owned())), place));
    }
    if let Some((text, place)) = environment.get("TG_PROXY") {
        proxy = Field::Valid(text).and_then(|text| value::proxy(place, text));
    }
    let api = match (id.optional(), hash.optional()) {
        (Some(Some((id, _))), Some(Some((hash, _)))) => Some(Some(Api { id, hash })),
        (Some(None), Some(None)) => Some(None),
        (Some(Some((_, place))), Some(None)) => half_of_the_api("api_id", "api_hash", place),
        (Some(None), Some(Some((_, place)))) => half_of_the_api("api_hash", "api_id", place),
        _ => None,
    };
    let telegram = Telegram {
        api: api?,
        proxy: proxy.optional()?,
        connect: connect.or_default(Connect::default())?,
        test_data_centres: test_data_centres.or_default(Vec::new())?,
    };
    sound.then_some(telegram)
}

fn half_of_the_api<T>(present: &str, missing: &str, place: Place<'_>) -> Option<T> {
    let hint = "both come from https://my.telegram.org; set them in [telegram] or as TG_API_ID and TG_API_HASH";
    place.error_with_hint(format!("`{present}` is set and `{missing}` is not"), hint.to_owned());
    None
}

fn api_id(text: &str, place: Place<'_>) -> Option<i32> {
    let id = text.parse::<i32>().ok().filter(|id| *id > 0 && !text.starts_with('+'));
    if id.is_none() {
        place.error("it must be the number that https://my.telegram.org shows as api_id");
    }
    id
}

fn connect_word(word: &str) -> Option<Connect> {
    match word {
        "on-demand" => Some(Connect::OnDemand),
        "always" => Some(Connect::Always),
        _ => None,
    }
}

fn data_centres(value: Value<'_>) -> Option<Vec<TestDataCentre>> {
    let mut ids = BTreeSet::new();
    let read = value.list()?.into_iter().map(|value| {
        let mut table = value.table()?;
        let id = table.take("id").and_then(|value| {
            let id = i32::try_from(value.integer()?).ok()?;
            if ids.insert(id) { Some(id) } else { value.refuse("this data centre is in the list twice") }
        });
        let address = table.take("address").and_then(|value| {
            let address = value.text()?.parse::<SocketAddr>().ok();
            let loopback = address.filter(|address| address.ip().is_loopback() && address.port() > 0);
            loopback.or_else(|| {
                value.refuse("`address` must be a loopback address with a port, such as \"127.0.0.1:4430\"")
            })
        });
        let seed = table.take("key_seed").and_then(|value| Some(Secret::new(value.text()?.to_owned())));
        let sound = table.is_sound();
        table.finish();
        let centre = TestDataCentre { id: id.optional()??, address: address.optional()??, key_seed: seed.optional()? };
        sound.then_some(centre)
    });
    let centres: Vec<_> = read.collect();
    centres.into_iter().collect()
}

/// `[http]`, `PORT` and the BasicAuth variables.
pub(in crate::config) fn http(table: Option<TableReader<'_>>, environment: &Environment<'_>) -> Option<Http> {
    let mut sound = true;
    let mut listen = Field::Absent;
    if let Some(mut table) = table {
        listen = table.take("listen").and_then(listen_address);
        sound = table.is_sound();
        table.finish();
    }
    let credentials = credentials(environment);
    let (listen, without_credentials) = match listen {
        Field::Absent => match environment.get("PORT") {
            Some((text, place)) => (port(text, place)?, Guard::Closed),
            None => (Listen::Tcp(DEFAULT_LISTEN), Guard::Proxy),
        },
        Field::Invalid => return None,
        Field::Valid(listen) => (listen, Guard::Proxy),
    };
    let http = Http { listen, guard: credentials?.unwrap_or(without_credentials) };
    sound.then_some(http)
}

/// `Some(None)` when neither is set: who sets a password wants it asked for, wherever the address comes from.
#[expect(clippy::option_option, reason = "the outer one ends the caller with `?`")]
fn credentials(environment: &Environment<'_>) -> Option<Option<Guard>> {
    const USERNAME: &str = "TG_SIGNER_WEB_BASIC_AUTH_USERNAME";
    const PASSWORD: &str = "TG_SIGNER_WEB_BASIC_AUTH_PASSWORD";
    let half = |place: Place<'_>, missing: &str| {
        place.error_with_hint(format!("it is set and ${missing} is not"), "set both or none".to_owned());
        None
    };
    match (environment.get(USERNAME), environment.get(PASSWORD)) {
        (None, None) => Some(None),
        (Some((_, place)), None) => half(place, PASSWORD),
        (None, Some((_, place))) => half(place, USERNAME),
        (Some((username, place)), Some(_)) if username.contains(':') => {
            place.error("a user name of BasicAuth cannot contain a colon");
            None
        }
        (Some((username, _)), Some((password, _))) => {
            Some(Some(Guard::Basic { username: username.to_owned(), password: Secret::new(password.to_owned()) }))
        }
    }
}

fn port(text: &str, place: Place<'_>) -> Option<Listen> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0 && !text.starts_with('+'));
    if port.is_none() {
        place.error("it must be a port, a number from 1 to 65535");
    }
    port.map(|port| Listen::Tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))
}

fn listen_address(value: Value<'_>) -> Option<Listen> {
    let text = value.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        // The kernel takes 107 bytes: `sun_path` has 108, the last of them is zero (unix(7)).
        if !Path::new(path).is_absolute() || path.contains('\0') {
            return value.refuse("the path of a Unix socket must be absolute, such as \"unix:/run/tgsignd/http.sock\"");
        }
        if path.len() > 107 {
            return value.refuse("the path of a Unix socket must be shorter than 108 bytes");
        }
        return Some(Listen::Unix(PathBuf::from(path)));
    }
    let address = text.parse::<SocketAddr>().ok().map(Listen::Tcp);
    address.or_else(|| {
        let hint = "write an IP address and a port such as \"127.0.0.1:9464\", or \"unix:/run/tgsignd/http.sock\"";
        value.place().error_with_hint("`listen` is not an address", hint.to_owned());
        None
    })
}

/// `[log]`
pub(in crate::config) fn log(table: Option<TableReader<'_>>) -> Option<Log> {
    let Some(mut table) = table else {
        return Some(Log { format: LogFormat::default(), level: DEFAULT_LEVEL.to_owned() });
    };
    let format = table.take("format").and_then(|value| {
        value.word(|word| match word {
            "auto" => Some(LogFormat::Auto),
            "pretty" => Some(LogFormat::Pretty),
            "json" => Some(LogFormat::Json),
            _ => None,
        })
    });
    let level = table.take("level").and_then(level);
    let sound = table.is_sound();
    table.finish();
    let log =
        Log { format: format.or_default(LogFormat::default())?, level: level.or_default(DEFAULT_LEVEL.to_owned())? };
    sound.then_some(log)
}

fn level(value: Value<'_>) -> Option<String> {
    let text = value.text()?;
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    // A lone word that is no level would be taken as the name of a module.
    let directives = text.split(',').map(str::trim);
    let stray = directives.clone().find(|directive| !directive.contains(['=', '[']) && !is_level(directive));
    if stray.is_none() && EnvFilter::builder().parse(text).is_ok() {
        return Some(text.to_owned());
    }
    let slip = stray.and_then(|word| suggest::closest(word, LEVELS));
    let hint = slip.map_or_else(
        || format!("write {}, or by module: \"info,tgsignd=debug\"", LEVELS.join(", ")),
        |word| format!("did you mean \"{word}\"?"),
    );
    value.place().error_with_hint("`level` is not a log level", hint);
    None
}

/// `[history]`
pub(in crate::config) fn history(table: Option<TableReader<'_>>) -> Option<History> {
    let default = History { runs: 400 * DAY, transcripts: 30 * DAY };
    let Some(mut table) = table else { return Some(default) };
    let runs = table.take("runs").and_then(Value::duration);
    let transcripts = table.take("transcripts").and_then(Value::duration);
    let sound = table.is_sound();
    table.finish();
    let history =
        History { runs: runs.or_default(default.runs)?, transcripts: transcripts.or_default(default.transcripts)? };
    sound.then_some(history)
}

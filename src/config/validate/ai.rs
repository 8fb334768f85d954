//! `[ai]` and the `OPENAI_…` variables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::value;
use crate::config::document::Place;
use crate::config::reader::{TableReader, Value};
use crate::config::secret::{Secret, SecretRef};
use crate::config::snapshot::{Ai, AiEndpoint};

/// Where OpenAI itself answers.
const OPENAI: &str = "https://api.openai.com/v1";

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_DAILY_LIMIT: u32 = 100;

/// What a table says about an endpoint.
struct Parts {
    base_url: Option<String>,
    key: Option<SecretRef>,
    model: Option<String>,
}

fn parts(table: &mut TableReader<'_>) -> Option<Parts> {
    let base_url = table.take("base_url").and_then(|value| base_url(value.text()?, value.place()));
    let key = table.take("api_key").and_then(value::secret);
    let model = table.take("model").and_then(|value| Some(value.text()?.to_owned()));
    Some(Parts { base_url: base_url.optional()?, key: key.optional()?, model: model.optional()? })
}

fn base_url(text: &str, place: Place<'_>) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_graphic() && !"@?#\\".contains(c);
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']) && rest.chars().all(plain)) {
        return Some(text.to_owned());
    }
    place.error_with_hint(
        "`base_url` must be an address that ends before /chat/completions",
        format!("write \"{OPENAI}\", or \"http://127.0.0.1:11434/v1\" for a server on this machine"),
    );
    None
}

/// `None` when something is wrong, `Some(None)` when there are no models.
#[expect(clippy::option_option, reason = "the outer one ends the caller with `?`")]
pub(in crate::config) fn ai(table: Option<TableReader<'_>>, environment: &Environment<'_>) -> Option<Option<Ai>> {
    let mut first = Parts { base_url: None, key: None, model: None };
    let (mut fallbacks, mut command) = (Vec::new(), None);
    let (mut timeout, mut daily_limit) = (DEFAULT_TIMEOUT, DEFAULT_DAILY_LIMIT);
    if let Some(mut table) = table {
        let read = parts(&mut table);
        let others = table.take("fallbacks").and_then(|value| {
            let read: Vec<_> = value.list()?.into_iter().map(fallback).collect();
            read.into_iter().collect::<Option<Vec<_>>>()
        });
        let program = table.take("command").and_then(program);
        let limit = table.take("daily_limit").and_then(|value| u32::try_from(value.integer()?).ok());
        let time = table.take("timeout").and_then(Value::duration);
        let sound = table.is_sound();
        table.finish();
        first = read?;
        fallbacks = others.or_default(Vec::new())?;
        command = program.optional()?;
        daily_limit = limit.or_default(DEFAULT_DAILY_LIMIT)?;
        timeout = time.or_default(DEFAULT_TIMEOUT)?;
        if !sound {
            return None;
        }
    }
    if let Some((url, place)) = environment.get("OPENAI_BASE_URL") {
        first.base_url = Some(base_url(url, place)?);
    }
    if let Some((key, _)) = environment.get("OPENAI_API_KEY") {
        first.key = Some(SecretRef::Inline(Secret::new(key.to_owned())));
    }
    if let Some((model, _)) = environment.get("OPENAI_MODEL") {
        first.model = Some(model.to_owned());
    }
    // A key alone in the environment, as other programs leave it there, names no model and asks for none.
    let mut endpoints: Vec<AiEndpoint> = first.model.map_or_else(Vec::new, |model| {
        let base_url = first.base_url.unwrap_or_else(|| OPENAI.to_owned());
        vec![AiEndpoint { base_url, key: first.key, model }]
    });
    endpoints.extend(fallbacks);
    if endpoints.is_empty() && command.is_none() {
        return Some(None);
    }
    Some(Some(Ai { endpoints, command, timeout, daily_limit }))
}

fn fallback(value: Value<'_>) -> Option<AiEndpoint> {
    let mut table = value.table()?;
    let parts = parts(&mut table);
    let sound = table.is_sound();
    table.finish();
    let Parts { base_url, key, model } = parts?;
    let endpoint = AiEndpoint { base_url: base_url.unwrap_or_else(|| OPENAI.to_owned()), key, model: model? };
    sound.then_some(endpoint)
}

fn program(value: Value<'_>) -> Option<Vec<String>> {
    let words: Vec<_> = value.list()?.into_iter().map(|word| Some(word.text()?.to_owned())).collect();
    let words: Vec<String> = words.into_iter().collect::<Option<_>>()?;
    let program = words.first().map(PathBuf::from).unwrap_or_default();
    if !Path::new(&program).is_absolute() || words.iter().any(|word| word.contains('\0')) {
        return value.refuse("`command` must begin with the absolute path of a program; no shell reads it");
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use crate::config::{self, Ai, FileContent, Sources};

    fn ai(settings: &str, environment: &[(&str, &str)]) -> Option<Ai> {
        let text = format!("version = 1\n{settings}");
        let files = [("tgsignd.toml".to_owned(), FileContent::Bytes(text.into_bytes()))].into();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        config::load(&Sources { files, environment }).unwrap().snapshot.ai
    }

    #[test]
    fn variables_win_over_the_file_and_a_key_alone_asks_nobody() {
        assert_eq!(ai("", &[]), None);
        assert_eq!(ai("", &[("OPENAI_API_KEY", "sk")]), None);
        let found = ai("", &[("OPENAI_API_KEY", "sk"), ("OPENAI_MODEL", "seer")]).unwrap();
        assert_eq!((found.endpoints[0].base_url.as_str(), found.endpoints[0].model.as_str()), (super::OPENAI, "seer"));
        assert!(found.endpoints[0].key.is_some());
        assert!(!format!("{found:?}").contains("sk"), "{found:?}");
        let file = "[ai]\nbase_url = 'http://127.0.0.1:1/v1'\nmodel = 'a'\nfallbacks = [{ model = 'b' }]\n";
        let found = ai(file, &[("OPENAI_MODEL", "c"), ("OPENAI_BASE_URL", "https://h/v1")]).unwrap();
        let all: Vec<_> = found.endpoints.iter().map(|one| (one.base_url.as_str(), one.model.as_str())).collect();
        assert_eq!(all, [("https://h/v1", "c"), (super::OPENAI, "b")]);
    }
}

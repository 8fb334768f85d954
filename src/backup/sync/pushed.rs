//! What a configuration from elsewhere may not do: enable programs, web pages, other data centres or another listener. What the
//! local configuration has already, it may have as well.

use std::collections::BTreeSet;

use crate::config::Snapshot;
use crate::script::{Host, Verb};

/// What `theirs`, a valid configuration that was pushed, enables and `ours`, the local one, does not. With no local
/// configuration nothing of it is allowed but the listener that is the default everywhere.
pub fn forbidden(ours: Option<&Snapshot>, theirs: &Snapshot, default_listener: &crate::config::Listen) -> Vec<String> {
    let mut found = Vec::new();
    let command = |snapshot: &Snapshot| snapshot.ai.as_ref().and_then(|ai| ai.command.clone());
    if command(theirs).is_some() && command(theirs) != ours.and_then(command) {
        found.push("[ai] command starts a program on this host".to_owned());
    }
    let centres = &theirs.telegram.test_data_centres;
    if !centres.is_empty() && ours.is_none_or(|ours| ours.telegram.test_data_centres != *centres) {
        found.push("[telegram] test_data_centres sends the sessions elsewhere".to_owned());
    }
    let listen = &theirs.http.listen;
    if ours.map_or(default_listener, |ours| &ours.http.listen) != listen {
        found.push("[http] listen opens another listener".to_owned());
    }
    let known = ours.map(pages).unwrap_or_default();
    let pages = pages(theirs);
    let new: BTreeSet<String> =
        pages.iter().filter(|page| !known.contains(page)).map(|(host, _)| host.to_string()).collect();
    if !new.is_empty() {
        let hosts: Vec<String> = new.into_iter().collect();
        found.push(format!("steps with `open` get web pages from this host: {}", hosts.join(", ")));
    }
    found
}

/// The hosts whose pages tasks open, and whether they may be told who opens them.
fn pages(snapshot: &Snapshot) -> BTreeSet<(&Host, bool)> {
    let steps = snapshot.tasks.values().flat_map(|task| &task.script.steps);
    let pages = steps.filter_map(|step| match &step.verb {
        Verb::Open(_, page) => Some(page),
        _ => None,
    });
    pages.flat_map(|page| page.hosts.iter().map(|host| (host, page.authorise))).collect()
}

/// What is forbidden, as an answer.
pub fn refusal(forbidden: &[String]) -> String {
    format!(
        "what comes from elsewhere must not enable this, unless the local configuration has the same: {}",
        forbidden.join("; ")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::{self, FileContent, Sources};

    fn snapshot(text: &str) -> Snapshot {
        let text = format!("version = 1\n{text}");
        let files = [("tgsignd.toml".to_owned(), FileContent::Bytes(text.into_bytes()))].into();
        config::load(&Sources { files, environment: [].into() }).map_err(|found| format!("{found:?}")).unwrap().snapshot
    }

    #[test]
    fn nothing_is_enabled_from_elsewhere_that_is_not_here_already() {
        let plain = snapshot("");
        let task = "[accounts.a]\n[tasks.t]\nschedule = '@daily'\ntimezone = 'UTC'\nchat = '@some_bot'\nsteps = [{ send = '/sign' }, \
                    { open = '签到', hosts = ['sign.example.com'] }]";
        let default = plain.http.listen.clone();
        for (text, word) in [
            (task, "`open` get web pages from this host: sign.example.com"),
            ("[ai]\ncommand = ['/bin/sh']", "command"),
            ("[http]\nlisten = '0.0.0.0:9464'\n", "listen"),
            ("[telegram]\ntest_data_centres = [{ id = 2, address = '127.0.0.1:1', key_seed = 'x' }]", "data_centres"),
        ] {
            let theirs = snapshot(text);
            for ours in [None, Some(&plain)] {
                let found = forbidden(ours, &theirs, &default);
                assert!(found.len() == 1 && found[0].contains(word), "{text}: {found:?}");
            }
            assert!(forbidden(Some(&theirs), &theirs, &default).is_empty(), "{text}");
        }
        assert!(forbidden(None, &plain, &default).is_empty());
    }
}

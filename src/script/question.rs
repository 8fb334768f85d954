//! Which button the words of a question ask for.

use std::sync::LazyLock;

use regex::Regex;

use super::text::{normalise, without_emoji};

/// The index of the one label that `question` names; `None` when it names none or several.
///
/// What stands in quotes or behind the last colon counts first; else a label must be found in the text. A label that is part
/// of another one that was found does not count ("苹果" in "红苹果").
pub(super) fn choose(question: &str, labels: &[&str]) -> Option<usize> {
    #[expect(clippy::expect_used, reason = "a constant expression, compiled by every test run")]
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"[「『“‘"«【\[《(]\s*([^「」『』“”‘’"«»【】\[\]《》()]{1,60}?)\s*[」』”’"»】\]》)]"#)
            .expect("a valid expression")
    });
    let question = normalise(question);
    let labels: Vec<(String, String)> = labels
        .iter()
        .map(|label| {
            let full = normalise(label);
            let bare = without_emoji(&full);
            (full, bare)
        })
        .collect();
    let is = |said: &str| {
        let said = said.trim();
        let bare = without_emoji(said);
        only(labels.iter().map(|(full, own)| full == said || !own.is_empty() && *own == bare))
    };
    let quoted: Vec<usize> = QUOTED.captures_iter(&question).filter_map(|found| is(found.get(1)?.as_str())).collect();
    if let [first, rest @ ..] = quoted.as_slice() {
        return rest.iter().all(|other| other == first).then_some(*first);
    }
    if let Some((_, tail)) = question.rsplit_once([':', '→'])
        && let Some(found) = is(tail)
    {
        return Some(found);
    }
    let found: Vec<(usize, &str)> = labels
        .iter()
        .enumerate()
        .filter_map(|(index, (full, bare))| {
            let said = [full, bare].into_iter().find(|form| !form.is_empty() && contains(&question, form));
            said.map(|form| (index, form.as_str()))
        })
        .collect();
    let mut widest = found
        .iter()
        .filter(|(_, form)| !found.iter().any(|(_, other)| other.len() > form.len() && other.contains(form)));
    match (widest.next(), widest.next()) {
        (Some((index, _)), None) => Some(*index),
        _ => None,
    }
}

/// Whether the words are found and not the middle of other ones: "no" is not in "know", nor 1 in 12.
fn contains(text: &str, words: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() && !('\u{2E80}'..='\u{9FFF}').contains(&c);
    text.match_indices(words).any(|(start, found)| {
        let before = text[..start].chars().next_back().is_some_and(is_word);
        let after = text[start + found.len()..].chars().next().is_some_and(is_word);
        let inside = before && found.starts_with(is_word) || after && found.ends_with(is_word);
        !inside
    })
}

fn only(fits: impl Iterator<Item = bool>) -> Option<usize> {
    let mut fitting = fits.enumerate().filter_map(|(index, fits)| fits.then_some(index));
    fitting.next().filter(|_| fitting.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_button_is_found() {
        for (question, labels, expected) in [
            ("请点击「苹果」按钮", &["香蕉", "🍎 苹果", "梨"] as &[_], Some(1)),
            ("请选择：🍎", &["🍌", "🍎", "🍐"], Some(1)),
            ("请在下面选出 苹果 完成签到", &["红苹果", "苹果", "梨"], Some(1)),
            ("请点击红苹果", &["红苹果", "苹果", "梨"], Some(0)),
            ("Press the button that says \"Dog\"", &["cat", "dog"], Some(1)),
            ("Do you know? Press yes", &["no", "yes"], Some(1)),
            ("Нажмите: кот", &["пёс", "кот"], Some(1)),
            ("选择 12", &["1", "2", "12"], Some(2)),
            ("请选择 苹果 或 香蕉", &["苹果", "香蕉"], None),
            ("请点击「苹果」和「香蕉」", &["苹果", "香蕉"], None),
            ("请完成验证", &["苹果", "香蕉"], None),
            ("苹果", &["苹果", "苹果"], None),
            ("", &[], None),
        ] {
            assert_eq!(choose(question, labels), expected, "{question}");
        }
    }
}

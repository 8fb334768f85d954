//! What is ignored when texts are compared: the same words in another dress.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

/// Compatibility composition: full-width letters, digits and punctuation become the usual ones.
pub(super) fn nfkc(text: &str) -> String {
    text.nfkc().collect()
}

/// [`nfkc`] without invisible characters and skin tones, in lower case, with runs of white space as one space.
pub(super) fn normalise(text: &str) -> String {
    let visible: String = text.nfkc().filter(|&c| !is_invisible(c)).collect();
    collapse(&visible.to_lowercase())
}

/// `text` on one line without control and invisible characters, trimmed.
pub(super) fn visible(text: &str) -> String {
    let dropped = |c: char| is_invisible(c) || c.is_control() && !c.is_whitespace();
    let kept: String = text.chars().filter(|&c| !dropped(c)).collect();
    collapse(&kept)
}

/// `normalised` without emoji and other pictures; may be empty.
pub(super) fn without_emoji(normalised: &str) -> String {
    #[expect(clippy::expect_used, reason = "a constant expression, compiled by every test run")]
    static PICTURES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[\p{Extended_Pictographic}\p{So}\x{20E3}]").expect("a valid expression"));
    collapse(&PICTURES.replace_all(normalised, " "))
}

/// At most `limit` characters; a longer text ends in an ellipsis.
pub(super) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Format characters, joiners, variation selectors, tags and skin tones: bots sprinkle them over the same label.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0000}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dress_is_ignored() {
        assert_eq!(normalise("ＣＨＥＣＫ－ＩＮ\u{200B}！"), "check-in!");
        assert_eq!(normalise("  签\u{FE0F}到 \n\t 成功 "), "签到 成功");
        assert_eq!(normalise("👍🏽"), normalise("👍"));
        assert_eq!(without_emoji(&normalise("✅ 签到🎁")), "签到");
        assert_eq!(without_emoji("👨‍👩‍👧"), "\u{200d} \u{200d}");
        assert_eq!(without_emoji(&normalise("👨‍👩‍👧")), "");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("签到成功", 4), "签到成功");
        assert_eq!(cut("签到成功了", 4), "签到成…");
    }
}

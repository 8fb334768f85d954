//! What a text says about the outcome.
//!
//! The task's own patterns come first. A regular expression is taken at its word; a literal is not found where the words
//! around it turn it into something else (`签到成功率`, `if checked in`). When several kinds of own patterns are found, the
//! default phrases choose between them, and when they cannot, the most cautious wins: failure, already, success. An own
//! `success` literal does not count in a text whose default meaning is failure or already ("签到失败，积分不足" is no
//! success, though `积分` was to be one).
//!
//! The default phrases are looked for in each clause. "Already" wins over failure, because bots wrap it in that word
//! ("签到失败：今日已签到"); success and failure in one text are a doubt; of success and already the first said wins. A failure
//! that the bot is still at work on ("系统繁忙，正在处理") is a doubt too: its last word is still to come.

use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexSet};

use super::outcome::Outcome;
use super::pattern::Pattern;
use super::phrases::{EXPLANATION, HEDGES, LANGUAGES, OWN_AFTER, OWN_BEFORE, PENDING, Phrases};
use super::step::OutcomeRules;
use super::text::{normalise, without_emoji};
use super::verdict::Rule;

/// What a bot's text can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The sign-in worked.
    Succeeded,
    /// It had been done before.
    AlreadyDone,
    /// It did not work.
    Failed,
}

impl From<Finding> for Outcome {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Succeeded => Self::Succeeded,
            Finding::AlreadyDone => Self::AlreadyDone,
            Finding::Failed => Self::Failed,
        }
    }
}

/// A text that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// What it proves.
    pub finding: Finding,
    /// Why: the pattern as written, or the default phrase as found.
    pub rule: Rule,
}

/// What `text` says about the outcome; `None` when in doubt.
pub fn classify(text: &str, rules: &OutcomeRules) -> Option<Classified> {
    let clauses = clauses(text);
    let default = by_default(&clauses);
    let kinds = [
        (Finding::Failed, &rules.failure),
        (Finding::AlreadyDone, &rules.already),
        (Finding::Succeeded, &rules.success),
    ];
    let own: Vec<(Finding, &Pattern)> = kinds
        .into_iter()
        .filter_map(|(finding, patterns)| {
            patterns.iter().find(|pattern| is_said(pattern, text, &clauses)).map(|pattern| (finding, pattern))
        })
        .collect();
    let chosen = match own.as_slice() {
        [] => return default,
        [(Finding::Succeeded, pattern)] if pattern.is_literal() => match &default {
            Some(other) if other.finding != Finding::Succeeded => return default,
            _ => own.first(),
        },
        [_] => own.first(),
        several => {
            let named = default.as_ref().and_then(|class| several.iter().find(|(kind, _)| *kind == class.finding));
            named.or(several.first())
        }
    };
    chosen.map(|(finding, pattern)| Classified { finding: *finding, rule: Rule::Own(pattern.to_string()) })
}

/// Whether an own pattern is found where it means what it says.
fn is_said(pattern: &Pattern, text: &str, clauses: &[Clause]) -> bool {
    if !pattern.is_match(text) {
        return false;
    }
    let Some(needle) = pattern.literal_text().map(fold) else { return true };
    let mut within_a_clause = false;
    for clause in clauses {
        for (start, found) in clause.text.match_indices(&needle) {
            within_a_clause = true;
            if !clause.asks && OWN.allows(&clause.text[..start], &clause.text[start + found.len()..]) {
                return true;
            }
        }
    }
    // Punctuation or a picture within the literal spans clauses: such a precise text is taken at its word.
    !within_a_clause
}

/// A part of a text between punctuation marks.
#[derive(Debug, PartialEq, Eq)]
struct Clause {
    text: String,
    /// Ends in a question mark.
    asks: bool,
}

struct Guarded {
    /// All phrases at once: hardly any is ever found.
    any: RegexSet,
    each: Vec<Phrase>,
    before: Regex,
    after: Regex,
    then: Regex,
}

/// One phrase, compiled when it is found for the first time.
struct Phrase {
    source: &'static str,
    compiled: OnceLock<Regex>,
}

impl Phrase {
    fn regex(&self) -> &Regex {
        self.compiled.get_or_init(|| compile(self.source))
    }
}

struct Compiled {
    success: Guarded,
    already: Guarded,
    failure: Guarded,
}

#[expect(clippy::expect_used, reason = "constant expressions, compiled by every test run")]
fn compile(source: &str) -> Regex {
    Regex::new(source).expect("a valid expression")
}

#[expect(clippy::expect_used, reason = "constant expressions, compiled by every test run")]
fn compile_all(sources: &[&str]) -> RegexSet {
    RegexSet::new(sources).expect("valid expressions")
}

impl From<&Phrases> for Guarded {
    fn from(phrases: &Phrases) -> Self {
        Self {
            any: compile_all(phrases.any),
            each: phrases.any.iter().map(|source| Phrase { source, compiled: OnceLock::new() }).collect(),
            before: compile(phrases.before),
            after: compile(phrases.after),
            then: compile(phrases.then),
        }
    }
}

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    let compiled = LANGUAGES.iter().map(|language| Compiled {
        success: (&language.success).into(),
        already: (&language.already).into(),
        failure: (&language.failure).into(),
    });
    compiled.collect()
});

static OWN: LazyLock<Guarded> = LazyLock::new(|| Guarded {
    any: RegexSet::empty(),
    each: Vec::new(),
    before: compile(OWN_BEFORE),
    after: compile(OWN_AFTER),
    then: compile(""),
});

impl Guarded {
    /// The first unguarded phrase in `clause`.
    fn find<'c>(&self, clause: &'c Clause) -> Option<&'c str> {
        if clause.asks {
            return None;
        }
        let found = self.any.matches(&clause.text);
        let phrases = found.iter().flat_map(|phrase| self.each[phrase].regex().find_iter(&clause.text));
        let mut meant = phrases
            .filter(|found| self.allows(&clause.text[..found.start()], &clause.text[found.end()..]))
            .map(|found| found.as_str());
        meant.next()
    }

    fn allows(&self, before: &str, after: &str) -> bool {
        !self.before.is_match(before) && !self.after.is_match(after) && self.then.is_match(after)
    }
}

fn by_default(clauses: &[Clause]) -> Option<Classified> {
    static EXPLAINS: LazyLock<Regex> = LazyLock::new(|| compile(EXPLANATION));
    static GOES_ON: LazyLock<Regex> = LazyLock::new(|| compile(PENDING));
    let first = |kind: fn(&Compiled) -> &Guarded| {
        clauses.iter().enumerate().find_map(|(index, clause)| {
            COMPILED.iter().find_map(|language| kind(language).find(clause)).map(|phrase| (index, phrase))
        })
    };
    let goes_on = clauses.iter().any(|clause| GOES_ON.is_match(&clause.text));
    let explains = clauses.iter().any(|clause| EXPLAINS.is_match(&clause.text));
    let success = first(|language| &language.success).filter(|_| !explains);
    let already = first(|language| &language.already).filter(|_| !explains);
    let failure = first(|language| &language.failure).filter(|_| !explains && !goes_on);
    let (finding, phrase) = match (success, already, failure) {
        (Some((success, _)), Some((already, phrase)), _) if already <= success => (Finding::AlreadyDone, phrase),
        (Some(_), _, Some(_)) | (None, None, None) => return None,
        (Some((_, phrase)), _, None) => (Finding::Succeeded, phrase),
        (None, Some((_, phrase)), _) => (Finding::AlreadyDone, phrase),
        (None, None, Some((_, phrase))) => (Finding::Failed, phrase),
    };
    Some(Classified { finding, rule: Rule::Default(phrase.to_owned()) })
}

/// Splits a text at line ends, brackets and punctuation; a point or comma within a number does not split.
fn clauses(text: &str) -> Vec<Clause> {
    let mut clauses = Vec::new();
    for line in text.lines() {
        let line = without_emoji(&normalise(line));
        let mut rest = String::new();
        let mut characters = line.chars().peekable();
        let mut close = |text: &mut String, asks: bool| {
            let text = fold(&std::mem::take(text));
            if !text.is_empty() {
                clauses.push(Clause { text, asks });
            }
        };
        while let Some(character) = characters.next() {
            match character {
                '?' => close(&mut rest, true),
                '.' | ',' if characters.peek().is_some_and(char::is_ascii_digit) => rest.push(character),
                ',' if HEDGES.contains(&rest.trim()) => rest.push(' '),
                ':' if characters.peek() == Some(&' ') && !rest.chars().next_back().is_some_and(is_han) => {
                    rest.push(character);
                    close(&mut rest, false);
                }
                '.' | ',' | '!' | ';' | '。' | '、' | '~' | '|' | '(' | ')' | '[' | ']' | '【' | '】' | '<' | '>'
                | '《' | '》' | '〖' | '〗' | '—' | '–' | '\u{0}' => close(&mut rest, false),
                _ => rest.push(character),
            }
        }
        close(&mut rest, false);
    }
    clauses
}

/// The common dress of phrases: simplified characters without spaces between them, `е` for `ё`, straight apostrophes.
fn fold(text: &str) -> String {
    let folded: String = text.trim().chars().map(simplified).collect();
    let mut joined = String::with_capacity(folded.len());
    let mut characters = folded.chars().peekable();
    while let Some(character) = characters.next() {
        let between_han = character == ' '
            && (joined.chars().next_back().is_some_and(is_han) || characters.peek().copied().is_some_and(is_han));
        if !between_han {
            joined.push(character);
        }
    }
    joined.replace(": ", ":")
}

fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9FFF}')
}

/// The simplified form of the traditional characters that occur in phrases.
fn simplified(character: char) -> char {
    const TRADITIONAL: &str = "簽籤經過復複敗獲領還沒無錯誤請後點擊時將會連續為個別報數積獎勵當嗎麼記錄試絡異賬帳號戶註冊關閉進頻餘驗證碼權內機應總計務禮說訊頁輸動態規則統維護響網資庫們間顯現達項場發額開啟啓歡於與從來對實話確認結兌換嘍";
    const SIMPLIFIED: &str = "签签经过复复败获领还没无错误请后点击时将会连续为个别报数积奖励当吗么记录试络异账账号户注册关闭进频余验证码权内机应总计务礼说讯页输动态规则统维护响网资库们间显现达项场发额开启启欢于与从来对实话确认结兑换喽";
    match character {
        'ё' => 'е',
        '’' | '‘' | 'ʼ' => '\'',
        _ => TRADITIONAL
            .chars()
            .zip(SIMPLIFIED.chars())
            .find(|(traditional, _)| *traditional == character)
            .map_or(character, |(_, simplified)| simplified),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn finding(text: &str, rules: &OutcomeRules) -> &'static str {
        match classify(text, rules).map(|class| class.finding) {
            None => "none",
            Some(finding) => Outcome::from(finding).as_str(),
        }
    }

    /// Each line: the outcome a text must get, a tab, the text with `\n` for line ends.
    #[test]
    fn realistic_texts_are_understood() {
        const CASES: [&str; 3] = [
            include_str!("../../tests/cases/outcomes/zh.tsv"),
            include_str!("../../tests/cases/outcomes/en.tsv"),
            include_str!("../../tests/cases/outcomes/ru.tsv"),
        ];
        let cases: Vec<(&str, String)> = CASES
            .iter()
            .flat_map(|file| file.lines())
            .map(|line| line.split_once('\t').unwrap())
            .map(|(outcome, text)| (outcome, text.replace("\\n", "\n")))
            .collect();
        assert!(cases.len() >= 400, "{} cases", cases.len());
        assert!(cases.iter().all(|(outcome, _)| ["succeeded", "already_done", "failed", "none"].contains(outcome)));
        let rules = OutcomeRules::default();
        let wrong: Vec<String> = cases
            .iter()
            .filter(|(expected, text)| finding(text, &rules) != *expected)
            .map(|(expected, text)| format!("{text:?} must be {expected}, not {}", finding(text, &rules)))
            .collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }

    fn rules(success: &[&str], already: &[&str], failure: &[&str]) -> OutcomeRules {
        let parse = |patterns: &[&str]| patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        OutcomeRules { success: parse(success), already: parse(already), failure: parse(failure) }
    }

    #[test]
    fn own_rules_come_first_but_mean_what_they_say() {
        let documented = rules(&["签到成功"], &["已签到", "明天再来"], &["失败"]);
        let loose = rules(&["积分"], &[], &[]);
        let regex = rules(&["/积分 \\+\\d+/", "/签到成功/"], &[], &[]);
        for (rules, text, expected) in [
            (&documented, "签到成功", "succeeded"),
            (&documented, "签到成功，明天再来吧", "succeeded"),
            (&documented, "明天再来", "already_done"),
            (&documented, "签到失败，您今日已签到", "already_done"),
            (&documented, "失败了", "failed"),
            (&documented, "签到成功率 90%", "none"),
            (&documented, "签到成功后可获得积分", "none"),
            (&documented, "如需签到成功请验证", "none"),
            (&documented, "今日已签到人数 5", "none"),
            (&documented, "签到成功了吗？", "none"),
            (&loose, "获得 5 积分", "succeeded"),
            (&loose, "签到失败，积分不足", "failed"),
            (&loose, "今日已签到，当前积分 5", "already_done"),
            (&regex, "积分 +5", "succeeded"),
            (&regex, "签到成功率", "succeeded"),
            (&rules(&["簽到成功"], &[], &[]), "簽到成功！", "succeeded"),
            (&rules(&["🎉 你好！欢迎"], &[], &[]), "🎉 你好！欢迎", "succeeded"),
            (&rules(&["ok"], &["ok"], &["ok"]), "ok", "failed"),
            (&rules(&["ok"], &["ok"], &[]), "ok", "already_done"),
            (&rules(&["checked in"], &[], &[]), "You have not checked in", "none"),
            (&rules(&["отмечен"], &[], &[]), "Вы не отмечены", "none"),
        ] {
            assert_eq!(finding(text, rules), expected, "{text}");
        }
    }

    #[test]
    fn the_rule_is_told() {
        let class = classify("✅ 签到成功！", &rules(&["成功"], &[], &[])).unwrap();
        assert_eq!(class.rule, Rule::Own("成功".to_owned()));
        let class = classify("✅ 簽到成功！", &OutcomeRules::default()).unwrap();
        assert_eq!(class.rule, Rule::Default("签到成功".to_owned()));
    }

    #[test]
    fn clauses_end_where_sentences_do() {
        let texts: Vec<_> =
            clauses("签 到 成功！获得 1.5 积分，好吗？\nCheck-in [OK]").into_iter().map(|c| (c.text, c.asks)).collect();
        let expected =
            [("签到成功", false), ("获得1.5积分", false), ("好吗", true), ("check-in", false), ("ok", false)];
        assert_eq!(texts, expected.map(|(text, asks)| (text.to_owned(), asks)));
    }
}

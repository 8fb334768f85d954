//! Sums as bots ask for them: in digits of any dress, in Chinese, English or Russian words.

use std::sync::LazyLock;

use regex::Regex;

use super::text::normalise;

/// Longest text that is looked at, in characters.
const MAX_QUESTION: usize = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Number(i64),
    Plus,
    Minus,
    Times,
    Divided,
    Open,
    Close,
    /// `=`, `?` and words for them.
    Asks,
    Other,
}

const WORDS: &[(&str, Token)] = &[
    ("plus", Token::Plus),
    ("плюс", Token::Plus),
    ("прибавить", Token::Plus),
    ("minus", Token::Minus),
    ("минус", Token::Minus),
    ("вычесть", Token::Minus),
    ("отнять", Token::Minus),
    ("x", Token::Times),
    ("х", Token::Times),
    ("times", Token::Times),
    ("умножить", Token::Times),
    ("умноженное", Token::Times),
    ("divided", Token::Divided),
    ("разделить", Token::Divided),
    ("делить", Token::Divided),
    ("equals", Token::Asks),
    ("равно", Token::Asks),
    ("будет", Token::Asks),
    ("сколько", Token::Asks),
    ("what", Token::Asks),
    ("calculate", Token::Asks),
    ("solve", Token::Asks),
    ("answer", Token::Asks),
    ("result", Token::Asks),
    ("реши", Token::Asks),
    ("решите", Token::Asks),
    ("ответ", Token::Asks),
    ("вычислите", Token::Asks),
];

/// Words between an operator and its number.
const SILENT: [&str; 3] = ["by", "на", "к"];

/// Words for what is not calculated here: half of a sum is not the sum.
const OTHER_ARITHMETIC: [&str; 14] = [
    "一半",
    "倍",
    "平方",
    "立方",
    "次方",
    "余数",
    "百分",
    "half",
    "squared",
    "percent",
    "remainder",
    "половин",
    "процент",
    "остаток",
];

const HAN: &[(&str, Token)] = &[
    ("加上", Token::Plus),
    ("加", Token::Plus),
    ("减去", Token::Minus),
    ("減去", Token::Minus),
    ("减", Token::Minus),
    ("減", Token::Minus),
    ("乘以", Token::Times),
    ("乘", Token::Times),
    ("除以", Token::Divided),
    ("除", Token::Divided),
    ("等于", Token::Asks),
    ("等於", Token::Asks),
    ("多少", Token::Asks),
    ("几", Token::Asks),
    ("计算", Token::Asks),
    ("計算", Token::Asks),
    ("答案", Token::Asks),
    ("结果", Token::Asks),
    ("結果", Token::Asks),
    ("算", Token::Asks),
];

const NUMBERS: &[(&str, i64)] = &[
    ("zero", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("hundred", 100),
    ("ноль", 0),
    ("один", 1),
    ("одна", 1),
    ("два", 2),
    ("две", 2),
    ("три", 3),
    ("четыре", 4),
    ("пять", 5),
    ("шесть", 6),
    ("семь", 7),
    ("восемь", 8),
    ("девять", 9),
    ("десять", 10),
    ("одиннадцать", 11),
    ("двенадцать", 12),
    ("тринадцать", 13),
    ("четырнадцать", 14),
    ("пятнадцать", 15),
    ("шестнадцать", 16),
    ("семнадцать", 17),
    ("восемнадцать", 18),
    ("девятнадцать", 19),
    ("двадцать", 20),
    ("тридцать", 30),
    ("сорок", 40),
    ("пятьдесят", 50),
    ("шестьдесят", 60),
    ("семьдесят", 70),
    ("восемьдесят", 80),
    ("девяносто", 90),
    ("сто", 100),
    ("двести", 200),
    ("триста", 300),
    ("четыреста", 400),
    ("пятьсот", 500),
];

/// The result of the one sum that `text` asks for; `None` when there is none, several, or no whole result.
///
/// Knows `+ - × ÷` in all their forms, brackets, numbers as digits (full-width, emoji, circled too) or as words. Dates, times
/// and ranges are no sums: a sum that could be one needs a question mark, an equals sign or a word for it.
pub fn solve(text: &str) -> Option<i64> {
    let cut: String = text.chars().take(MAX_QUESTION).collect();
    let words = normalise(&cut);
    if OTHER_ARITHMETIC.iter().any(|word| words.contains(word)) {
        return None;
    }
    let tokens = tokens(&cut);
    let mut sums: Vec<Sum> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let run = tokens[at..].iter().take_while(|token| !matches!(token, Token::Asks | Token::Other)).count();
        if run > 0 {
            let expression = &tokens[at..at + run];
            if let Some(value) = evaluate(expression) {
                let asked = tokens.get(at + run) == Some(&Token::Asks);
                let plain = expression.iter().any(|token| matches!(token, Token::Plus | Token::Times));
                sums.push(Sum { value, asked, plain });
            }
        }
        at += run.max(1);
    }
    let asks = tokens.contains(&Token::Asks);
    let any_asked = sums.iter().any(|sum| sum.asked);
    sums.retain(|sum| if any_asked { sum.asked } else { asks || sum.plain });
    let first = sums.first()?.value?;
    sums.iter().all(|sum| sum.value == Some(first)).then_some(first)
}

/// The number that `text` is, and nothing else: the label of a button.
pub(super) fn number(text: &str) -> Option<i64> {
    match tokens(text).as_slice() {
        [Token::Number(number)] => Some(*number),
        [Token::Minus, Token::Number(number)] => Some(-number),
        _ => None,
    }
}

struct Sum {
    /// `None`: it is a sum without a whole result.
    value: Option<i64>,
    /// `=` or the like stands behind it.
    asked: bool,
    /// It can be nothing but a sum.
    plain: bool,
}

fn tokens(text: &str) -> Vec<Token> {
    #[expect(clippy::expect_used, reason = "constant expressions, compiled by every test run")]
    static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}:\d{2}(:\d{2})?")
            .expect("a valid expression")
    });
    #[expect(clippy::expect_used, reason = "constant expressions, compiled by every test run")]
    static PART: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\d+([.,]\d+)*|[零〇一二两三四五六七八九十百千壹贰叁肆伍陆柒捌玖拾]+|[a-zа-яё]+|\s+|.")
            .expect("a valid expression")
    });
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        tokens.extend((number > 0).then_some(Token::Other));
        let line = normalise(line).replace('\u{20E3}', "").replace('🔟', "10");
        let line = MOMENT.replace_all(&line, "\u{0}");
        let mut rest: &str = &line;
        while let Some(first) = rest.chars().next() {
            if let Some((word, token)) = HAN.iter().find(|(word, _)| rest.starts_with(word)) {
                tokens.push(*token);
                rest = &rest[word.len()..];
                continue;
            }
            let length = PART.find_at(rest, 0).filter(|found| found.start() == 0).map_or(first.len_utf8(), |f| f.end());
            let (part, behind) = rest.split_at(length);
            rest = behind;
            if !part.trim().is_empty() && !SILENT.contains(&part) {
                push(&mut tokens, token(part));
            }
        }
    }
    tokens
}

/// Number words that stand together are one number: twenty one, сто пять.
fn push(tokens: &mut Vec<Token>, (token, in_words): (Token, bool)) {
    if let (true, Token::Number(next), Some(Token::Number(last))) = (in_words, token, tokens.last_mut()) {
        if *last >= 20 && next < *last && (*last % 100 >= 20 && next < 10 || *last % 100 == 0) {
            *last += next;
            return;
        }
        if next == 100 && *last < 10 {
            *last *= 100;
            return;
        }
    }
    tokens.push(token);
}

fn token(part: &str) -> (Token, bool) {
    let first = part.chars().next().unwrap_or(' ');
    if first.is_ascii_digit() {
        return (part.parse().map_or(Token::Other, Token::Number), false);
    }
    if let Some(number) = han_number(part) {
        return (Token::Number(number), false);
    }
    if let Some((_, number)) = NUMBERS.iter().find(|(word, _)| *word == part) {
        return (Token::Number(*number), true);
    }
    if let Some((_, token)) = WORDS.iter().find(|(word, _)| *word == part) {
        return (*token, false);
    }
    let token = match first {
        '+' | '➕' => Token::Plus,
        '-' | '−' | '–' | '—' | '➖' => Token::Minus,
        '×' | '*' | '✖' | '✕' | '⨯' | '·' | '∙' => Token::Times,
        '÷' | '/' | '➗' => Token::Divided,
        '(' | '[' => Token::Open,
        ')' | ']' => Token::Close,
        '=' | '?' | '❓' | '❔' | '🟰' => Token::Asks,
        _ => Token::Other,
    };
    (token, false)
}

/// `三`, `十二`, `一百零五`, `壹拾`, and digit by digit `一二`.
fn han_number(text: &str) -> Option<i64> {
    const DIGITS: [&str; 10] = ["零〇", "一壹", "二两贰", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖"];
    const UNITS: [(&str, i64); 3] = [("十拾", 10), ("百", 100), ("千", 1000)];
    let (mut total, mut digits, mut seen_unit) = (0_i64, None::<i64>, false);
    for character in text.chars() {
        if let Some(digit) = DIGITS.iter().position(|forms| forms.contains(character)) {
            let digit = i64::try_from(digit).ok()?;
            digits = Some(if seen_unit { digit } else { digits.unwrap_or(0).checked_mul(10)?.checked_add(digit)? });
        } else {
            let (_, unit) = UNITS.iter().find(|(forms, _)| forms.contains(character))?;
            total = total.checked_add(digits.take().unwrap_or(1).checked_mul(*unit)?)?;
            seen_unit = true;
        }
    }
    (total > 0 || digits.is_some()).then(|| total + digits.unwrap_or(0))
}

/// The value of an expression with at least one operator between two numbers; `Some(None)` without a whole result.
#[expect(clippy::option_option, reason = "no sum, and a sum without a whole result, are two things")]
fn evaluate(tokens: &[Token]) -> Option<Option<i64>> {
    if tokens.iter().filter(|token| matches!(token, Token::Number(_))).count() < 2 {
        return None;
    }
    let tokens = stripped(tokens);
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let value = parser.sum()?;
    (parser.at == tokens.len()).then_some(value)
}

/// Without a bracket before or behind that belongs to the text around.
fn stripped(tokens: &[Token]) -> &[Token] {
    let open = tokens.iter().filter(|token| **token == Token::Open).count();
    let close = tokens.iter().filter(|token| **token == Token::Close).count();
    match (tokens.first(), tokens.last()) {
        (Some(Token::Open), _) if open == close + 1 => &tokens[1..],
        (_, Some(Token::Close)) if close == open + 1 => &tokens[..tokens.len() - 1],
        _ => tokens,
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: u8,
}

/// Inside, `Some(None)` is a value that is not whole or too large.
#[expect(clippy::option_option, reason = "see above")]
impl Parser<'_> {
    fn next_if(&mut self, wanted: &[Token]) -> Option<Token> {
        let found = self.tokens.get(self.at).copied().filter(|token| wanted.contains(token))?;
        self.at += 1;
        Some(found)
    }

    fn sum(&mut self) -> Option<Option<i64>> {
        let mut value = self.product()?;
        while let Some(operator) = self.next_if(&[Token::Plus, Token::Minus]) {
            let right = self.product()?;
            value = value.zip(right).and_then(|(left, right)| {
                if operator == Token::Plus { left.checked_add(right) } else { left.checked_sub(right) }
            });
        }
        Some(value)
    }

    fn product(&mut self) -> Option<Option<i64>> {
        let mut value = self.factor()?;
        while let Some(operator) = self.next_if(&[Token::Times, Token::Divided]) {
            let right = self.factor()?;
            value = value.zip(right).and_then(|(left, right)| match operator {
                Token::Times => left.checked_mul(right),
                _ => (left.checked_rem(right) == Some(0)).then(|| left / right),
            });
        }
        Some(value)
    }

    fn factor(&mut self) -> Option<Option<i64>> {
        let minus = self.next_if(&[Token::Minus]).is_some();
        let value = if self.next_if(&[Token::Open]).is_some() {
            self.depth += 1;
            if self.depth > 20 {
                return None;
            }
            let value = self.sum()?;
            self.next_if(&[Token::Close])?;
            self.depth -= 1;
            value
        } else {
            let Some(Token::Number(number)) = self.tokens.get(self.at) else { return None };
            self.at += 1;
            Some(*number)
        };
        Some(if minus { value.and_then(i64::checked_neg) } else { value })
    }
}

#[cfg(test)]
mod tests;

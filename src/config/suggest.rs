//! "Did you mean …?"

/// The candidate that `word` is most likely a slip of, if one is near enough.
pub(super) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let farthest = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= farthest)
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or what there is to choose from.
pub(super) fn hint<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> Option<String> {
    if let Some(candidate) = closest(word, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let all: Vec<_> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    match &all[..] {
        [] => None,
        [only] => Some(format!("there is only {only}")),
        several => Some(format!("there are {}", enumerate(several))),
    }
}

/// `a, b and c`; of many only the first twenty.
pub(super) fn enumerate<T: AsRef<str>>(items: &[T]) -> String {
    joined(items, "and")
}

/// `a, b or c`; of many only the first twenty.
pub(super) fn either<T: AsRef<str>>(items: &[T]) -> String {
    joined(items, "or")
}

fn joined<T: AsRef<str>>(items: &[T], word: &str) -> String {
    const SHOWN: usize = 20;
    let join = |items: &[T]| items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        many if many.len() > SHOWN => format!("{} {word} {} more", join(&many[..SHOWN]), many.len() - SHOWN),
        [most @ .., last] => format!("{} {word} {}", join(most), last.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let keys = ["jitter", "timeout", "timezone"];
        assert_eq!(closest("jiter", keys), Some("jitter"));
        assert_eq!(closest("TimeZone", keys), Some("timezone"));
        assert_eq!(closest("retries", keys), None);
        assert_eq!(hint("retries", keys).as_deref(), Some("there are `jitter`, `timeout` and `timezone`"));
        assert_eq!(hint("x", []), None);
    }
}

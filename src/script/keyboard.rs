//! Which button a click presses.

use super::message::{Button, ChatMessage, Position};
use super::pattern::Pattern;

/// The best button that `allowed` does not rule out: the earlier pattern wins, then the closer fit (see
/// [`Fit`](super::pattern::Fit)), then the reading order.
pub(super) fn pick<'m>(
    patterns: &[Pattern],
    message: &'m ChatMessage,
    allowed: impl Fn(Position, &Button) -> bool,
) -> Option<(Position, &'m Button)> {
    patterns.iter().find_map(|pattern| {
        buttons(message)
            .filter(|(position, button)| allowed(*position, button))
            .filter_map(|(position, button)| Some((pattern.fit(&button.text)?, position, button)))
            .min_by_key(|(fit, position, _)| (*fit, *position))
            .map(|(_, position, button)| (position, button))
    })
}

/// All buttons in reading order.
pub(super) fn buttons(message: &ChatMessage) -> impl Iterator<Item = (Position, &Button)> {
    message.keyboard.iter().enumerate().flat_map(|(row, buttons)| {
        buttons.iter().enumerate().map(move |(column, button)| (Position { row, column }, button))
    })
}

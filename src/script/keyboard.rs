//! Which button a step means.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::message::{Button, ChatMessage, Position};
use super::pattern::{Fit, Pattern};

/// A button as a task names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// By its label.
    Label(Pattern),
    /// By its place.
    At(Cell),
}

/// A place on a keyboard: 1 is the first row or column, -1 the last one; never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// From the top.
    pub row: i8,
    /// From the left.
    pub column: i8,
}

impl Target {
    fn fit(&self, keyboard: &[Vec<Button>], position: Position, button: &Button) -> Option<Fit> {
        match self {
            Self::Label(pattern) => pattern.fit(&button.text),
            Self::At(cell) => {
                let columns = keyboard.get(position.row)?.len();
                let here = nth(cell.row, keyboard.len()) == Some(position.row)
                    && nth(cell.column, columns) == Some(position.column);
                here.then_some(Fit::Whole)
            }
        }
    }
}

/// The index of the nth of `count`.
fn nth(n: i8, count: usize) -> Option<usize> {
    let index = usize::from(n.unsigned_abs()).checked_sub(1)?;
    let index = if n > 0 { index } else { count.checked_sub(index + 1)? };
    (index < count).then_some(index)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(pattern) => pattern.fmt(f),
            Self::At(Cell { row, column }) => write!(f, "row {row}, column {column}"),
        }
    }
}

/// The best button that `allowed` does not rule out: the earlier target wins, then the closer fit (see
/// [`Fit`](super::pattern::Fit)), then the reading order.
pub(super) fn pick<'m>(
    targets: &[Target],
    message: &'m ChatMessage,
    allowed: impl Fn(Position, &Button) -> bool,
) -> Option<(Position, &'m Button)> {
    targets.iter().find_map(|target| {
        buttons(message)
            .filter(|(position, button)| allowed(*position, button))
            .filter_map(|(position, button)| Some((target.fit(&message.keyboard, position, button)?, position, button)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_both_ends() {
        for (n, count, index) in [
            (1, 3, Some(0)),
            (3, 3, Some(2)),
            (4, 3, None),
            (-1, 3, Some(2)),
            (-3, 3, Some(0)),
            (-4, 3, None),
            (0, 3, None),
            (1, 0, None),
            (-1, 0, None),
        ] {
            assert_eq!(nth(n, count), index, "{n} of {count}");
        }
    }
}

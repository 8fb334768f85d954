//! The one table of all keys. The reader refuses what is not in it and reads everything that is; the JSON Schema is made
//! from it.

mod backup;
mod settings;
mod shape;
mod task;

pub(super) use settings::FILE;
pub(super) use shape::{Key, NAME, Shape, TableKeys};
pub(super) use task::{LEAST_CHAT, MOST_CHAT};

#[cfg(test)]
mod tests {
    use super::*;

    fn every_table(table: &'static TableKeys, seen: &mut Vec<&'static TableKeys>) {
        if seen.iter().any(|known| std::ptr::eq(*known, table)) {
            return;
        }
        seen.push(table);
        for key in table.keys {
            for inner in key.shape.tables() {
                every_table(inner, seen);
            }
        }
    }

    #[test]
    fn every_key_is_described_once() {
        let mut tables = Vec::new();
        every_table(&FILE, &mut tables);
        assert!(tables.len() >= 13, "{}", tables.len());
        for table in tables {
            let names: std::collections::BTreeSet<_> = table.keys.iter().map(|key| key.name).collect();
            assert_eq!(names.len(), table.keys.len(), "{}", table.title);
            assert!(table.exactly_one.iter().all(|name| names.contains(name)), "{}", table.title);
            assert!(table.later.iter().all(|name| !names.contains(name)), "{}", table.title);
            for key in table.keys {
                assert!(key.about.ends_with('.'), "{}: {}", key.name, key.about);
            }
        }
    }
}

//! Bytes of a fuzzer as changes of a good document: random bytes alone never get past the first check of a format.

/// `good` after changes that `data` asks for, three bytes each: what is done at which place of the document.
pub fn apply(good: &[u8], data: &[u8]) -> Vec<u8> {
    let mut changed = good.to_vec();
    for change in data.chunks_exact(3) {
        if changed.is_empty() {
            return changed;
        }
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        match change[2] {
            0 => changed.truncate(at),
            1 => drop(changed.remove(at)),
            // Something good twice: elements, names, whole headers.
            2..16 => {
                let end = changed.len().min(at + (1 << (change[2] % 10)));
                changed.extend_from_within(at..end);
            }
            byte if byte % 2 == 0 => changed[at] = byte,
            byte => changed.insert(at, byte),
        }
    }
    changed
}

//! What the operating system knows about this process.

use std::fs;

/// Ticks of `/proc/self/stat` in a second: `USER_HZ`, which Linux keeps at 100 on every architecture Rust supports.
const TICKS_PER_SECOND: u32 = 100;

/// The process as its operating system sees it; what cannot be read is `None`.
///
/// Only files below `/proc/self` are read, so that it works under systemd's `ProcSubset=pid`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessMetrics {
    /// User and system time.
    pub cpu_seconds: Option<f64>,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// Address space.
    pub virtual_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_descriptors: Option<u64>,
    /// The soft limit of them; `None` also when there is no limit.
    pub max_descriptors: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl ProcessMetrics {
    /// Reads the present values.
    pub fn read() -> Self {
        let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let descriptors = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        Self {
            // Reading the folder opens one more.
            open_descriptors: descriptors.and_then(|count| u64::try_from(count.saturating_sub(1)).ok()),
            ..Self::parse(&text("stat"), &text("status"), &text("limits"))
        }
    }

    fn parse(stat: &str, status: &str, limits: &str) -> Self {
        let kilobytes = |name: &str| status_number(status, name).map(|kilobytes| kilobytes * 1024);
        Self {
            cpu_seconds: cpu_seconds(stat),
            resident_bytes: kilobytes("VmRSS:"),
            virtual_bytes: kilobytes("VmSize:"),
            open_descriptors: None,
            max_descriptors: limits
                .lines()
                .find_map(|line| line.strip_prefix("Max open files"))
                .and_then(|line| line.split_whitespace().next()?.parse().ok()),
            threads: status_number(status, "Threads:"),
        }
    }
}

/// Fields 14 and 15 of proc(5)'s `stat`. The name in field 2 may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11).map(|field| field.parse::<u32>().ok());
    let ticks = fields.next()??.checked_add(fields.next()??)?;
    Some(f64::from(ticks) / f64::from(TICKS_PER_SECOND))
}

fn status_number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_name_of_the_process_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 8 0 1234 5 6";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn files_are_read_by_name_and_gaps_are_left_out() {
        let status = "VmSize:\t  2048 kB\nVmRSS:\t     100 kB\nThreads:\t8\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024      524288     files\n";
        let parsed = ProcessMetrics::parse("", status, limits);
        assert_eq!((parsed.resident_bytes, parsed.virtual_bytes), (Some(102_400), Some(2_097_152)));
        assert_eq!((parsed.threads, parsed.max_descriptors, parsed.cpu_seconds), (Some(8), Some(1024), None));
        assert_eq!(ProcessMetrics::parse("", "", "Max open files unlimited"), ProcessMetrics::default());
    }

    #[test]
    fn this_very_process_can_be_read() {
        let read = ProcessMetrics::read();
        assert!(read.cpu_seconds.is_some() && read.resident_bytes.unwrap() > 0 && read.threads.unwrap() > 0);
        assert!(read.open_descriptors.unwrap() >= 3);
    }
}

//! Facts about this machine.
use esos_diag::ParseError;
use esos_units::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// What uname(2) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uname {
    /// `Linux`.
    pub sysname: String,
    /// The host's name.
    pub nodename: String,
    /// The kernel's release, such as `6.12.43+deb13-amd64`; modules lie in the directory of that name.
    pub release: String,
    /// The kernel's build, such as `#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2025-08-27)`.
    pub version: String,
    /// `x86_64`.
    pub machine: String,
}

/// Names of the running kernel and host.
///
/// # Errors
/// The errno of uname(2), as an error about `uname`.
pub fn uname() -> Result<Uname, crate::FileError> {
    let found = nix::sys::utsname::uname()
        .map_err(|errno| crate::FileError::new("uname", crate::FileOp::Read, errno as i32))?;
    let text = |t: &std::ffi::OsStr| t.to_string_lossy().into_owned();
    Ok(Uname {
        sysname: text(found.sysname()),
        nodename: text(found.nodename()),
        release: text(found.release()),
        version: text(found.version()),
        machine: text(found.machine()),
    })
}

/// How many threads can run at a time; at least 1.
#[must_use]
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `/proc/uptime`: the first number, time since boot.
///
/// # Errors
/// The text has no such number in front.
pub fn parse_uptime(origin: &str, text: &str) -> Result<Duration, ParseError> {
    let word = text.split_whitespace().next().unwrap_or("");
    let (whole, frac) = word.split_once('.').unwrap_or((word, "0"));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<u64>().ok()).flatten();
    let hundredths = digits(frac).filter(|_| frac.len() == 2 || frac == "0");
    match (digits(whole), hundredths) {
        (Some(s), Some(h)) => {
            Ok(Duration::from_secs(s).saturating_add(Duration::from_millis(h.saturating_mul(10))))
        }
        _ => Err(ParseError::at(origin, text, 0, "seconds since boot such as `5025.12`")),
    }
}

/// `/proc/meminfo`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemInfo {
    fields: BTreeMap<String, Bytes>,
}

impl MemInfo {
    /// Reads the whole text. Lines that count pages and not kB (`HugePages_Total`) are left out.
    ///
    /// ```
    /// use esos_hostfs::MemInfo;
    ///
    /// let mem = MemInfo::parse("/proc/meminfo", "MemTotal:  16316412 kB\nMemAvailable:  9 kB\n")?;
    /// assert_eq!(mem.total().map(|b| b.human()).as_deref(), Some("15.5 GiB"));
    /// # Ok::<(), esos_diag::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// A line without a name, or with a size that is no number.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ParseError> {
        let mut fields = BTreeMap::new();
        let mut offset = 0usize;
        for line in text.split_inclusive('\n') {
            let error = || ParseError::at(origin, text, offset, "a line `Name: 123 kB`");
            let (name, value) = line.split_once(':').ok_or_else(error)?;
            if let Some(number) = value.trim().strip_suffix("kB") {
                let kib: u64 = number.trim().parse().map_err(|_not| error())?;
                fields.insert(name.trim().to_owned(), Bytes::kib(kib));
            }
            offset = offset.saturating_add(line.len());
        }
        Ok(Self { fields })
    }

    /// All memory that the kernel can use.
    #[must_use]
    pub fn total(&self) -> Option<Bytes> {
        self.get("MemTotal")
    }

    /// What programs can still have without swapping (Linux 3.14 and later).
    #[must_use]
    pub fn available(&self) -> Option<Bytes> {
        self.get("MemAvailable")
    }

    /// Any field by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Bytes> {
        self.fields.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_machine() {
        let uname = uname().unwrap();
        assert_eq!(uname.sysname, "Linux");
        assert!(cpus() >= 1);
        let text = std::fs::read_to_string("/proc/meminfo").unwrap();
        let mem = MemInfo::parse("/proc/meminfo", &text).unwrap();
        assert!(mem.total() > mem.available());
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        assert!(parse_uptime("/proc/uptime", &text).unwrap() > Duration::ZERO);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(parse_uptime("u", "").is_err() && parse_uptime("u", "-1.00 2").is_err());
        let error = MemInfo::parse("/proc/meminfo", "MemTotal: 1 kB\nMemFree: x kB\n").unwrap_err();
        assert_eq!((error.position.line, error.line_text.as_str()), (2, "MemFree: x kB"));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = (parse_uptime("x", &text), MemInfo::parse("x", &text));
        }
    }
}

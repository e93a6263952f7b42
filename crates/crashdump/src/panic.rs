//! Why the kernel stopped: the reason, the stack and the modules, out of its log.
use std::io;

/// Frames of the stack that are kept.
const MAX_FRAMES: usize = 32;
/// A line of a log is not longer; the rest of a longer one is passed over.
const MAX_LINE: usize = 4096;

/// What the log says of the crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Panic {
    /// The panic's own words, or those of the oops before it.
    pub reason: Option<String>,
    /// The first oops or bug, where there was one before the panic.
    pub oops: Option<String>,
    /// The line that says which process ran where.
    pub process: Option<String>,
    /// The call trace that follows the reason, the innermost frame first, without the kernel's guesses. That of an
    /// oops begins with where it happened (`RIP:`), which the kernel's own trace does not repeat.
    pub stack: Vec<String>,
    /// Modules with their taints, as the log lists them: an oops does, a plain panic does not.
    pub modules: Vec<String>,
}

/// Reads a log line by line as it is written to it, in bounded memory.
///
/// ```
/// use esos_crashdump::PanicScan;
/// use std::io::Write;
///
/// let mut scan = PanicScan::default();
/// scan.write_all(b"[    7.1] Kernel panic - not syncing: sysrq triggered crash\n[    7.2] Call Trace:\n[    7.3]  panic+0x10\n")?;
/// let panic = scan.finish();
/// assert_eq!(panic.reason.as_deref(), Some("sysrq triggered crash"));
/// assert_eq!(panic.stack, ["panic+0x10"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct PanicScan {
    line: Vec<u8>,
    found: Panic,
    in_trace: bool,
    /// Where the oops happened, until its trace begins.
    at: Option<String>,
}

impl PanicScan {
    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Panic {
        self.end_line();
        if self.found.reason.is_none() {
            self.found.reason.clone_from(&self.found.oops);
        }
        self.found
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        // The time goes: `[   67.996841] `.
        let text = match text.split_once("] ") {
            Some((time, rest)) if time.starts_with('[') => rest,
            _ => &text,
        };
        self.take(text);
    }

    fn take(&mut self, text: &str) {
        let found = &mut self.found;
        let owned = |s: &str| s.trim().to_owned();
        if let Some(reason) = text.strip_prefix("Kernel panic - not syncing: ") {
            if found.reason.is_none() {
                // A panic after an oops is told by the oops' own trace.
                if found.oops.is_none() {
                    found.stack.clear();
                }
                found.reason = Some(owned(reason));
            }
        } else if ["BUG: ", "Oops: ", "general protection fault", "kernel BUG at "]
            .iter()
            .any(|start| text.starts_with(start))
        {
            if found.oops.is_none() && found.reason.is_none() {
                found.stack.clear();
                found.oops = Some(owned(text));
            }
        } else if let Some(list) = text.strip_prefix("Modules linked in:") {
            let names = list.split(" [last unloaded").next().unwrap_or(list);
            found.modules = names.split_whitespace().map(str::to_owned).collect();
        } else if text.starts_with("CPU: ") && (found.reason.is_some() || found.oops.is_some()) {
            found.process.get_or_insert_with(|| owned(text));
        } else if let Some((segment, at)) = text.strip_prefix("RIP: ").and_then(|t| t.split_once(':')) {
            // A program's own address says nothing of the kernel.
            if found.oops.is_some() && found.reason.is_none() && found.stack.is_empty() && segment != "0033" {
                self.at.get_or_insert_with(|| owned(at));
            }
        } else if text.trim_start().starts_with("Call Trace:") {
            self.in_trace = found.stack.is_empty();
            if self.in_trace {
                found.stack.extend(self.at.take());
            }
        } else if self.in_trace {
            let frame = text.trim();
            if frame.starts_with("</TASK>") || !text.starts_with(' ') {
                self.in_trace = false;
            } else if !frame.starts_with('<') && !frame.starts_with('?') && found.stack.len() < MAX_FRAMES {
                // Registers of the entry into the kernel stand among the frames.
                if frame.contains("+0x") && !frame.starts_with("RIP:") {
                    found.stack.push(frame.to_owned());
                }
            }
        }
    }
}

impl io::Write for PanicScan {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line();
            } else if self.line.len() < MAX_LINE {
                self.line.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_oops_is_told_by_its_own_trace() {
        let mut scan = PanicScan::default();
        scan.write_all(
            b"[    1.0] BUG: kernel NULL pointer dereference, address: 0\n\
              [    1.0] CPU: 1 PID: 77 Comm: insmod Tainted: G\n\
              [    1.0] RIP: 0010:boom_write+0x4/0x10 [boom]\n\
              [    1.0] Call Trace:\n[    1.0]  <TASK>\n[    1.0]  ? die+0x1/0x2\n[    1.0]  boom_init+0x1/0x2 [boom]\n[    1.0]  </TASK>\n\
              [    1.0] Modules linked in: boom(OE+) ext4 [last unloaded: x]\n\
              [    1.0] RIP: 0010:boom_write+0x4/0x10 [boom]\n\
              [    1.1] Kernel panic - not syncing: Fatal exception\n[    1.1] Call Trace:\n[    1.1]  panic+0x1/0x2\n",
        )
        .unwrap();
        let found = scan.finish();
        assert_eq!(found.reason.as_deref(), Some("Fatal exception"));
        assert_eq!(found.oops.as_deref(), Some("BUG: kernel NULL pointer dereference, address: 0"));
        assert_eq!(found.stack, ["boom_write+0x4/0x10 [boom]", "boom_init+0x1/0x2 [boom]"]);
        assert_eq!(found.modules, ["boom(OE+)", "ext4"]);
        assert!(found.process.is_some_and(|p| p.contains("insmod")));
    }
}

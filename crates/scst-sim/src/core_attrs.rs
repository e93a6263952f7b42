//! Attributes of SCST itself.
use crate::attribute::{flag, keyed, line};
use crate::errno::{EINVAL, Outcome};
use crate::sim::State;
use crate::words::{signed, strim, unsigned};

impl State {
    pub(crate) fn threads(&mut self, threads: u64) -> Outcome {
        let default = self.env.cpus;
        self.tree.set("threads", keyed(threads, default));
        Ok(())
    }

    pub(crate) fn core_attribute(&mut self, name: &str, value: &str) -> Outcome {
        let text = match name {
            "trace_level" => return self.trace_level(name, value),
            "suspend" => return self.suspend(value),
            "setup_id" => keyed(format!("{:#x}", unsigned(strim(value))? & 0xffff_ffff), "0x0"),
            "max_tasklet_cmd" => keyed(unsigned(strim(value))?, 10),
            "poll_us" => keyed(unsigned(strim(value))?, 0),
            "force_global_sgv_pool" => keyed(flag(value)?, 0),
            "measure_latency" | "async_lun_replace" => format!("{}\n", flag(value)?),
            "cluster_name" => match line(value) {
                // The name of a DLM lockspace has at most 64 bytes.
                long if long.len() > 64 => return Err(EINVAL),
                "" => String::new(),
                name => format!("{name}\n[key]\n"),
            },
            _ => return self.plain(name, value),
        };
        self.tree.set(name, text);
        Ok(())
    }

    /// Zero or more suspends (again), less than zero resumes once.
    fn suspend(&mut self, value: &str) -> Outcome {
        let wanted = signed(strim(value))?;
        let now = self.tree.value("suspend").parse::<u64>().unwrap_or(0);
        let next = if wanted >= 0 { now.saturating_add(1) } else { now.saturating_sub(1) };
        self.tree.set("suspend", format!("{next}\n"));
        Ok(())
    }
}

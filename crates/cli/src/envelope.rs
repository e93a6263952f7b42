//! The one document that `--json` prints.
use crate::{Failure, Global};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use serde::Serialize;
use serde_json::{Value, json};

/// Who made a document, where and when.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// `esos-scst 0.1.0`.
    pub generator: String,
    /// The host's name; of a copied tree, the one in its `/etc/hostname`.
    pub host: String,
}

impl Origin {
    pub(crate) fn new(generator: String, global: &Global) -> Self {
        let files = HostFiles::new(&global.root);
        let told = if global.is_live() {
            esos_hostfs::uname().ok().map(|u| u.nodename)
        } else {
            files.read("/etc/hostname").ok().map(|b| String::from_utf8_lossy(&b).trim().to_owned())
        };
        Self { generator, host: told.filter(|h| !h.is_empty()).unwrap_or_else(|| "unknown".to_owned()) }
    }

    /// A document around data.
    pub(crate) fn data(
        &self,
        schema: &str,
        data: &impl Serialize,
        warnings: &[String],
    ) -> serde_json::Result<String> {
        let document =
            Document { schema, generator: &self.generator, host: &self.host, time: now(), data, warnings };
        serde_json::to_string_pretty(&document)
    }

    /// A document around an error.
    pub(crate) fn error(&self, failure: &Failure, warnings: &[String]) -> String {
        let document = json!({
            "schema": "esos.error/1",
            "generator": self.generator,
            "host": self.host,
            "time": now(),
            "exit": failure.exit().code(),
            "error": failure.to_json(),
            "data": Value::Null,
            "warnings": warnings,
        });
        format!("{document:#}")
    }
}

#[derive(Serialize)]
struct Document<'d, D> {
    schema: &'d str,
    generator: &'d str,
    host: &'d str,
    time: String,
    data: &'d D,
    warnings: &'d [String],
}

/// The time in RFC 3339, to the second.
fn now() -> String {
    let seconds = i64::try_from(HostClock.now().as_secs()).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |t| t.to_string())
}

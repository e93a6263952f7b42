//! A core or a dump.
use esos_crashdump::{Core, CoreError, KdumpFile, LogError, LogSummary, Physical, Vm};
use esos_hostfs::Stream;
use std::io;

pub(crate) enum Memory {
    Core(Box<Core<Stream>>),
    Dump(Box<KdumpFile<Stream>>),
}

impl Memory {
    pub(crate) fn open(input: Stream) -> Result<Self, CoreError> {
        Ok(if KdumpFile::probe(&input) {
            Self::Dump(Box::new(KdumpFile::open(input)?))
        } else {
            Self::Core(Box::new(Core::open(input)?))
        })
    }

    pub(crate) fn log(&self, out: &mut impl io::Write) -> Result<LogSummary, LogError> {
        match self {
            Self::Core(core) => esos_crashdump::dmesg(&Vm::new(&**core)?, out),
            Self::Dump(dump) => esos_crashdump::dmesg(&Vm::new(&**dump)?, out),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        match self {
            Self::Core(core) => core.info().get(key),
            Self::Dump(dump) => dump.info().get(key),
        }
    }
}

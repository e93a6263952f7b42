//! The image that is to come: a file, a stick, or something that must be fetched or unpacked first.
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use esos_bootimg::disk::image::expand;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_fetch::{Fetch, HostFetch, Location};
use esos_hostfs::{HostFiles, Stream, TempDir, real_path, space};

use crate::source::http;

/// Whatever an image is read from.
pub(crate) trait Image: Read + Seek {}
impl<T: Read + Seek> Image for T {}

/// An image that can be read anywhere.
pub(crate) struct Brought {
    pub(crate) image: Box<dyn Image>,
    /// The file or device that it is read from in the end.
    pub(crate) path: PathBuf,
    /// Bytes of it.
    pub(crate) bytes: u64,
    _scratch: Option<TempDir>,
}

/// Opens an image, a device, a compressed image, or a URL of one. What has to be unpacked is unpacked
/// beside `scratch`, without its holes, and goes away in the end.
pub(crate) fn bring(from: &str, scratch: &Path, ui: &Ui) -> Result<Brought, Failure> {
    let location: Location = from.parse().or_exit(Exit::Usage)?;
    let Some(path) = location.path() else {
        let host = HostFiles::new("/");
        let opened = HostFetch::new(http(&host))?.open(&location, 0)?;
        let progress = ui.progress("fetching", None);
        let brought = unpack(opened.reader, opened.size, scratch, &mut |bytes| progress.set(bytes))?;
        progress.finish();
        return Ok(brought);
    };
    let real = real_path(path)?;
    let mut stream = Stream::open(&real)?;
    let mut magic = [0; 4];
    let packed = stream.read_at(&mut magic, 0)? == 4 && magic == [0x28, 0xb5, 0x2f, 0xfd];
    if packed {
        let size = stream.size()?;
        let progress = ui.progress("unpacking", None);
        let brought = unpack(&mut stream, Some(size), scratch, &mut |bytes| progress.set(bytes))?;
        progress.finish();
        return Ok(brought);
    }
    let bytes = stream.size()?;
    let image = Box::new(BufReader::with_capacity(1 << 17, stream));
    Ok(Brought { image, path: real, bytes, _scratch: None })
}

fn unpack<R: Read>(
    reader: R,
    packed: Option<u64>,
    scratch: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Brought, Failure> {
    let dir = TempDir::new_in(scratch, "esos-image")?;
    let free = space(dir.path())?.available;
    if let Some(packed) = packed.filter(|p| *p > free.get()) {
        let text = format!(
            "{} has {free} free, and the image has at least {}",
            scratch.display(),
            esos_units::Bytes::new(packed)
        );
        return Err(Failure::new(Exit::Failed, text).help("name a place with more room in TMPDIR"));
    }
    let path = dir.path().join("esos.img");
    let mut stream = Stream::create_new(&path, 0o600)?;
    let bytes = expand(reader, &mut stream, progress).or_exit(Exit::Invalid)?;
    stream.set_len(bytes)?;
    let image = Box::new(BufReader::with_capacity(1 << 17, stream));
    Ok(Brought { image, path, bytes, _scratch: Some(dir) })
}

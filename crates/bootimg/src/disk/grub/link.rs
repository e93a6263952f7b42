//! Linking the cores with the archive's `grub-mkimage`.
use super::config::EMBEDDED;
use esos_exec::{Cmd, ExecError, Runner};
use esos_hostfs::{FileError, Files};
use esos_layout::part::number;

/// The boot loader's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootLoader {
    /// `boot.img`, 512 bytes.
    pub boot_img: Vec<u8>,
    /// The BIOS core, to be placed by [`super::embed`].
    pub core_img: Vec<u8>,
    /// The same for a CD: what the BIOS loads of it comes first.
    pub cd_img: Vec<u8>,
    /// `BOOTX64.EFI`.
    pub efi: Vec<u8>,
}

/// Links cores out of unpacked packages.
#[derive(Debug)]
pub struct Linker<'a, R: ?Sized, F: ?Sized> {
    /// Runs `grub-mkimage`.
    pub runner: &'a R,
    /// Files of the machine that the runner runs on, from its root.
    pub files: &'a F,
    /// Absolute path of the directory into which `grub-common`, `grub-pc-bin`, `grub-efi-amd64-bin` and
    /// all they depend on were unpacked.
    pub tools: &'a str,
    /// Absolute path of an empty directory for what passes between us and the tool.
    pub scratch: &'a str,
}

/// Why a core cannot be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A package is not among the unpacked ones.
    #[error("no {path} under {tools}: unpack the package that has it ({package})")]
    Missing {
        /// What was looked for.
        path: String,
        /// Where.
        tools: String,
        /// Which package has it.
        package: &'static str,
    },
    /// A library would come from the build host.
    #[error("grub-mkimage needs {library}, which is not under {tools}: unpack the package that has it")]
    HostLibrary {
        /// The library.
        library: String,
        /// Where it should be.
        tools: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tool does not run.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The tool fails.
    #[error("{command}: {status}: {message}")]
    Failed {
        /// The command as people read it.
        command: String,
        /// Its status.
        status: String,
        /// What it said.
        message: String,
    },
}

/// In both cores. Nothing is loaded from the medium at boot but kernel, initramfs and text.
const MODULES: &[&str] = &[
    "normal",
    "configfile",
    "test",
    "true",
    "regexp",
    "echo",
    "sleep",
    "reboot",
    "halt",
    "loadenv",
    "linux",
    "part_gpt",
    "part_msdos",
    "fat",
    "squash4",
    "iso9660",
    "hashsum",
    "gcry_sha256",
    "serial",
    "terminal",
    "minicmd",
    "ls",
    "cat",
];
const BIOS_MODULES: &[&str] = &["biosdisk", "vga", "vbe", "video", "video_fb"];
const EFI_MODULES: &[&str] = &["efi_gop", "efi_uga", "all_video", "video", "video_fb"];

/// Everything in [`Linker::link`] but the packages that the cores depend on, as a text that differs where they would.
pub(crate) fn recipe() -> String {
    // The number stands for what this file does with them.
    format!("1 {} {EMBEDDED:?} {MODULES:?} {BIOS_MODULES:?} {EFI_MODULES:?}", number::BOOT)
}

impl<R: Runner + ?Sized, F: Files + ?Sized> Linker<'_, R, F> {
    /// Links both cores.
    ///
    /// # Errors
    /// Any of [`LinkError`].
    pub fn link(&self) -> Result<BootLoader, LinkError> {
        let boot = self.find(&["usr/lib/grub/i386-pc/boot.img"], "grub-pc-bin")?;
        self.find(&["usr/lib/grub/x86_64-efi/kernel.img"], "grub-efi-amd64-bin")?;
        let boot_img = self.files.read(&boot)?;
        let bios_prefix = format!("(,gpt{})/esos", number::BOOT);
        Ok(BootLoader {
            boot_img,
            core_img: self.mkimage("i386-pc", &bios_prefix, BIOS_MODULES)?,
            // A CD has no partitions.
            cd_img: self.mkimage("i386-pc-eltorito", "/esos", BIOS_MODULES)?,
            // Without a device, the prefix is on the partition that the firmware read the core from.
            efi: self.mkimage("x86_64-efi", "/esos", EFI_MODULES)?,
        })
    }

    fn find(&self, paths: &[&str], package: &'static str) -> Result<String, LinkError> {
        for path in paths {
            let full = format!("{}/{path}", self.tools);
            match self.files.stat(&full) {
                Ok(_) => return Ok(full),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let path = paths.first().copied().unwrap_or_default().to_owned();
        Err(LinkError::Missing { path, tools: self.tools.to_owned(), package })
    }

    /// A command that runs a program of the unpacked packages by their own loader and libraries.
    fn tool(&self, options: &[&str]) -> Result<Cmd, LinkError> {
        let tools = self.tools;
        // Not the link in lib64: in a tree that is not merged it is absolute and leads to the host's.
        let loader = self.find(
            &["usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"],
            "libc6",
        )?;
        let program = self.find(&["usr/bin/grub-mkimage"], "grub-common")?;
        let libraries = format!("{tools}/usr/lib/x86_64-linux-gnu:{tools}/lib/x86_64-linux-gnu");
        Ok(Cmd::new(loader)
            .args(["--inhibit-cache", "--library-path"])
            .arg(libraries)
            .args(options.iter().copied())
            .arg(program))
    }

    fn run(&self, cmd: &Cmd) -> Result<String, LinkError> {
        let out = self.runner.run(cmd)?;
        if out.status.success() {
            return Ok(out.text().into_owned());
        }
        let message = out.error_text().trim().to_owned();
        Err(LinkError::Failed { command: cmd.to_string(), status: out.status.to_string(), message })
    }

    /// No library may come from outside the unpacked packages.
    fn check_libraries(&self) -> Result<(), LinkError> {
        let text = self.run(&self.tool(&["--list"])?)?;
        for line in text.lines().filter_map(|l| l.split_once(" => ")) {
            let (library, path) = (line.0.trim(), line.1.trim());
            if !path.starts_with(&format!("{}/", self.tools)) {
                return Err(LinkError::HostLibrary {
                    library: library.to_owned(),
                    tools: self.tools.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn mkimage(&self, format: &str, prefix: &str, modules: &[&str]) -> Result<Vec<u8>, LinkError> {
        self.check_libraries()?;
        let config = format!("{}/{format}.cfg", self.scratch);
        let output = format!("{}/{format}.img", self.scratch);
        self.files.replace(&config, EMBEDDED.as_bytes(), 0o600)?;
        let platform = format.trim_end_matches("-eltorito");
        let directory = format!("{}/usr/lib/grub/{platform}", self.tools);
        let cmd = self
            .tool(&[])?
            .args([
                "-d",
                directory.as_str(),
                "-O",
                format,
                "-p",
                prefix,
                "-c",
                config.as_str(),
                "-o",
                output.as_str(),
            ])
            .args(MODULES.iter().chain(modules).copied());
        self.run(&cmd)?;
        let image = self.files.read(&output)?;
        self.files.remove(&output)?;
        self.files.remove(&config)?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_exec::{Exit, Output};
    use esos_hostfs::MemFiles;
    use std::cell::RefCell;

    /// Answers as the loader and `grub-mkimage` do, and keeps what it was asked.
    struct Fake<'a> {
        files: &'a MemFiles,
        libraries: &'a str,
        status: i32,
        asked: RefCell<Vec<String>>,
    }

    impl Runner for Fake<'_> {
        fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
            let line = cmd.to_string();
            let list = line.contains(" --list ");
            if let Some((_, rest)) = line.split_once(" -o ") {
                let output = rest.split(' ').next().unwrap();
                self.files.replace(output, format!("core of {output}").as_bytes(), 0o600).unwrap();
            }
            self.asked.borrow_mut().push(line);
            let stdout = if list { self.libraries.into() } else { Vec::new() };
            Ok(Output {
                status: Exit::Code(if list { 0 } else { self.status }),
                stdout,
                stderr: b"no such module\n".to_vec(),
            })
        }
    }

    fn packages() -> MemFiles {
        MemFiles::new()
            .file("/t/usr/lib/grub/i386-pc/boot.img", [1; 512])
            .file("/t/usr/lib/grub/x86_64-efi/kernel.img", "k")
            .file("/t/usr/bin/grub-mkimage", "p")
            .file("/t/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "l")
            .file("/s/empty", "")
    }

    fn link(files: &MemFiles, libraries: &str, status: i32) -> (Result<BootLoader, LinkError>, Vec<String>) {
        let fake = Fake { files, libraries, status, asked: RefCell::default() };
        let linked = Linker { runner: &fake, files, tools: "/t", scratch: "/s" }.link();
        (linked, fake.asked.into_inner())
    }

    #[test]
    fn both_cores_are_linked_by_the_packages_own_loader() {
        let files = packages();
        let own = "\tlibc.so.6 => /t/lib/x86_64-linux-gnu/libc.so.6 (0x1)\n\tlinux-vdso.so.1 (0x2)\n";
        let (linked, asked) = link(&files, own, 0);
        let linked = linked.unwrap();
        assert_eq!(linked.core_img, b"core of /s/i386-pc.img");
        assert_eq!(linked.efi, b"core of /s/x86_64-efi.img");
        assert!(
            asked
                .iter()
                .all(|l| l.starts_with("/t/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --inhibit-cache"))
        );
        assert!(asked[1].contains("-O i386-pc -p '(,gpt2)/esos' -c /s/i386-pc.cfg"), "{asked:?}");
        assert_eq!(linked.cd_img, b"core of /s/i386-pc-eltorito.img");
        assert!(asked[3].contains("/i386-pc -O i386-pc-eltorito -p /esos "), "{asked:?}");
        assert!(asked[5].contains("-O x86_64-efi -p /esos "), "{asked:?}");
        assert_eq!(files.list("/s").unwrap(), ["empty"], "nothing is left behind");
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let error = link(&MemFiles::new().file("/t/usr/bin/grub-mkimage", "p"), "", 0).0.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no usr/lib/grub/i386-pc/boot.img under /t: unpack the package that has it (grub-pc-bin)"
        );
        let host = "\tlibcap.so.2 => /lib/x86_64-linux-gnu/libcap.so.2 (0x1)\n";
        let error = link(&packages(), host, 0).0.unwrap_err();
        assert!(
            matches!(&error, LinkError::HostLibrary { library, .. } if library == "libcap.so.2"),
            "{error}"
        );
        let error = link(&packages(), "\tlibcap.so.2 => not found\n", 0).0.unwrap_err();
        assert!(matches!(error, LinkError::HostLibrary { .. }), "{error}");
        let error = link(&packages(), "", 1).0.unwrap_err().to_string();
        assert!(error.ends_with("exit status 1: no such module"), "{error}");
    }
}

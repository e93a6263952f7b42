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
        let directory = format!("{}/usr/lib/grub/{format}", self.tools);
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

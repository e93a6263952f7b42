//! Why there are no modules.
use esos_exec::ExecError;
use esos_hostfs::FileError;
use std::io;

/// Why the modules of a package could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DkmsError {
    /// A package of the build root cannot be unpacked.
    #[error("cannot unpack {package} into the build root for kernel modules")]
    Unpack {
        /// The package.
        package: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the build root cannot be written or read.
    #[error("the build root for kernel modules")]
    File(#[from] FileError),
    /// The user's packages have no `usr/src/NAME-VERSION/dkms.conf` after all.
    #[error(
        "no package of the build root has a usr/src/*/dkms.conf; the lock file and --extra-debs do not belong together"
    )]
    NoSource,
    /// A `dkms.conf` does not say what it is for.
    #[error("/usr/src/{dir}/dkms.conf has no plain PACKAGE_NAME and PACKAGE_VERSION")]
    NoName {
        /// Its directory.
        dir: String,
    },
    /// Sources that wait for one another, or for what is not there.
    #[error("{module} has BUILD_DEPENDS on {needs}, which no package brings before it")]
    Needs {
        /// The module.
        module: String,
        /// What it waits for.
        needs: String,
    },
    /// This machine makes no namespaces.
    #[error(
        "this machine gives no user namespace to build kernel modules in: {said}; it is allowed by sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces, or kernel.apparmor_restrict_unprivileged_userns=0"
    )]
    NoNamespace {
        /// What unshare said.
        said: String,
    },
    /// `unshare` is missing, or did not end.
    #[error("cannot build kernel modules")]
    Exec(#[from] ExecError),
    /// dkms, or the compiler, ended with an error.
    #[error(
        "{module} cannot be built for kernel {kernel}: dkms ended with {status}; the end of its log:\n{log}"
    )]
    Failed {
        /// Name and version of the module.
        module: String,
        /// The release of the kernel.
        kernel: String,
        /// How dkms ended.
        status: String,
        /// The last lines of the compiler's log, or of what dkms said.
        log: String,
    },
    /// The module says that it is not for this kernel.
    #[error("{module} says itself that it is not for kernel {kernel} (BUILD_EXCLUSIVE in its dkms.conf)")]
    Excluded {
        /// Name and version of the module.
        module: String,
        /// The release of the kernel.
        kernel: String,
    },
    /// All went well, and there is no module.
    #[error("{module} was built for kernel {kernel}, and there is no module in updates/dkms")]
    Nothing {
        /// Names of what was built.
        module: String,
        /// The release of the kernel.
        kernel: String,
    },
    /// The cache cannot be written or read.
    #[error("the cache of built kernel modules")]
    Cache(#[source] io::Error),
}

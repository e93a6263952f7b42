#!/usr/bin/env bash
# A bare Debian, a fresh clone, one make target: does it work for somebody who has nothing yet?
#   tests/bare.sh SUITE [TARGET [DIR]]     as root, e.g. tests/bare.sh trixie demo
# Makes a minimal root of SUITE in DIR (git, make, sudo and curl, nothing else), gives it this host's Rust
# toolchain read-only, clones this repository into the home of an unprivileged user there who may use
# sudo, and runs `make TARGET` as that user. At the end: how long it took and what it downloaded.
# The mirror is the first of this host's apt sources. Needs mmdebstrap and unshare.
set -eu
suite=${1:?usage: tests/bare.sh SUITE [TARGET [DIR]]}
target=${2:-demo}
dir=${3:-/var/tmp/esos-bare-$suite}
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
root=$dir/root
say() { printf 'bare: %s\n' "$*" >&2; }
[ "$(id -u)" = 0 ] || { say "needs root, for a chroot with mounts"; exit 2; }

uris=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u)
mirror=$(grep -v security <<<"$uris" | head -n 1)
security=$(grep security <<<"$uris" | head -n 1 || true)
[ -n "$mirror" ] || { say "no mirror in this host's apt sources"; exit 1; }

if [ ! -e "$root/etc/debian_version" ]; then
  say "making a minimal $suite root"
  mkdir -p "$dir"
  lines=("deb $mirror $suite main")
  [ -z "$security" ] || lines+=("deb $security $suite-security main")
  start=$SECONDS
  mmdebstrap -q --variant=minbase --include=git,make,sudo,curl,ca-certificates "$suite" "$root" "${lines[@]}"
  say "root made in $((SECONDS - start)) s, $(du -sm "$root" | cut -f1) MiB"
  # Certificates that this host trusts beside Debian's, where a gateway signs for others.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null
  fi
  chroot "$root" useradd -m -s /bin/bash builder
  echo 'builder ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/builder"
fi

sysroot=$(rustc --print sysroot)
mkdir -p "$root/opt/rust"
rm -rf "$root/home/builder/esos"
git clone -q --no-local "$top" "$root/home/builder/esos"
chroot "$root" chown -R builder:builder /home/builder/esos
cp /etc/resolv.conf "$root/etc/resolv.conf"

say "make $target in a bare $suite: $(git -C "$top" log -1 --format='%h %s')"
start=$SECONDS
status=0
unshare --mount --pid --fork --kill-child --propagation private bash -eu -c '
  root=$1 sysroot=$2 target=$3
  mount --bind "$sysroot" "$root/opt/rust"
  mount -o remount,bind,ro "$root/opt/rust"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" su -l builder -c "export PATH=/opt/rust/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin; cd esos && make $target"
' bare "$root" "$sysroot" "$target" </dev/null || status=$?
took=$((SECONDS - start))

size() { du -smc "$@" 2>/dev/null | tail -n 1 | cut -f1; }
say "make $target: status $status after $took s"
say "downloaded, in MiB: apt $(size "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists), cargo $(size "$root"/home/builder/.cargo/registry/cache), packages of the image $(size "$root"/home/builder/.cache/esos-image/packages)"
exit $status

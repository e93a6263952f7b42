#!/usr/bin/env bash
# The default image three times, as unlike as builds can be: is it the same, byte for byte?
#   tests/reproduce.sh BARE-TRIXIE BARE-BOOKWORM [DIR]     as root, after `make build`
# The first build is this host's, as it is. The second runs in the bare Debian 12 root as nobody, with
# another umask, an installed German locale, another time zone, the date of seven years later (Debian's
# faketime), one core, and nothing in the cache. The third runs in the bare Debian 13 root as its builder.
# The roots are those that tests/bare.sh made. All take the first one's lock and the same programs of ours.
set -eu
trixie=${1:?usage: tests/reproduce.sh BARE-TRIXIE BARE-BOOKWORM [DIR]}
bookworm=${2:?usage: tests/reproduce.sh BARE-TRIXIE BARE-BOOKWORM [DIR]}
dir=${3:-/var/tmp/esos-reproduce}
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
bin=${CARGO_TARGET_DIR:-$top/target}/release
say() { printf 'reproduce: %s\n' "$*" >&2; }
[ "$(id -u)" = 0 ] || { say "needs root, for the roots"; exit 2; }

# inside ROOT COMMAND...: runs it there, with /proc, /dev and this host's name servers.
inside() {
  local root=$1; shift
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  unshare --mount --pid --fork --kill-child --propagation private bash -eu -c '
    root=$1; shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"
  ' inside "$root" "$@" </dev/null
}

# programs ROOT: ours, into its /opt/esos.
programs() {
  rm -rf "$1/opt/esos"
  mkdir -p "$1/opt/esos"
  for program in "$bin"/esos "$bin"/esos-*; do
    case $program in *.d) ;; *) cp "$program" "$1/opt/esos/" ;; esac
  done
  cp "$dir/first/packages.lock" "$1/opt/esos/packages.lock"
}

say "first: $(. /etc/os-release; echo "$PRETTY_NAME"), $(id -un), umask $(umask), $(date -I)"
rm -rf "$dir"; mkdir -p "$dir"
"$bin/esos-image" build --quiet --out "$dir/first"

say "second: a bare Debian 12, nobody, umask 077, de_DE.UTF-8, Pacific/Chatham, one core, seven years on"
programs "$bookworm"
inside "$bookworm" bash -eu -c '
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends locales faketime >/dev/null 2>&1
  localedef -i de_DE -f UTF-8 de_DE.UTF-8
  rm -rf "/srv/zweiter Bau" && mkdir -p "/srv/zweiter Bau" && chown nobody: "/srv/zweiter Bau"
  cd "/srv/zweiter Bau"
  exec setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs --inh-caps=-all \
    env -i PATH=/usr/bin:/bin HOME="/srv/zweiter Bau" LC_ALL=de_DE.UTF-8 TZ=Pacific/Chatham FAKETIME_DONT_FAKE_MONOTONIC=1 \
    bash -eu -c "
      umask 077
      locale -a | grep -qi de_DE.utf8
      faketime -f \"+7y\" taskset -c 0 bash -c \"date; exec /opt/esos/esos-image build --quiet --jobs 1 --lock /opt/esos/packages.lock --cache Lager --out Bild\"
    "
'
say "third: a bare Debian 13, builder"
programs "$trixie"
inside "$trixie" su -l builder -c 'rm -rf third && /opt/esos/esos-image build --quiet --lock /opt/esos/packages.lock --out third'

status=0
for file in esos.img esos.img.zst SHA256SUMS sbom.json packages.lock manifest.txt; do
  sums=$(sha256sum "$dir/first/$file" "$bookworm/srv/zweiter Bau/Bild/$file" "$trixie/home/builder/third/$file" | cut -d' ' -f1)
  case $(sort -u <<<"$sums" | wc -l) in
    1) say "same   $file  $(head -n 1 <<<"$sums")" ;;
    *) say "DIFFER $file"; printf '%s\n' "$sums" >&2; status=1 ;;
  esac
done
exit $status

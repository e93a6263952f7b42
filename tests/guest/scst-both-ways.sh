#!/bin/sh
# Runs in a box with SCST: for every /root/cases/N.conf, applies it with esos-scst and with Perl's scstadmin and
# compares the trees, both ways. One line a case: `N same`, or `N differs: WHAT` with the differences in
# /root/cases/N.diff. `$1` is Perl's scstadmin, `$2` the program that dumps the tree.
perl=$1 floor=$2
cd /root/cases || exit 1
# What the stored file names and is not there would stay in what `save` writes.
rm -f /etc/scst.conf
[ -s empty.conf ] || echo '# nothing' >empty.conf
for n in 0 1 2 3 4 5 6 7; do
  [ -e /data/f$n ] || { mkdir -p /data && truncate -s 16M /data/f$n; }
done

# Nothing configured. copy_manager numbers the LUNs that it makes on and on, and scstadmin adds those of a file
# that have another number now (scstadmin, addLun), which the kernel refuses for a device that is read-only
# (scst_cm_on_add_lun). With such devices in a file copy_manager is told to make none (a parameter of the module),
# but for every tenth of those files: there the count starts anew, as at boot, where such files are read.
clear() {
  if [ -n "$anew" ]; then
    service scst stop >clear.out 2>&1
    # iscsi_scst needs a moment until its daemon and its last thread have ended.
    for module in isert_scst iscsi_scst scst_vdisk scst; do
      try=0
      while [ -d "/sys/module/$module" ] && [ $try -lt 60 ]; do
        rmmod "$module" 2>>clear.out || sleep 1
        try=$((try + 1))
      done
    done
    [ ! -d /sys/module/scst ] && service scst start >>clear.out 2>&1 && return 0
    echo "cannot start anew: $(tail -n 1 clear.out)"
    return 1
  fi
  esos-scst apply empty.conf --allow-empty --prune --allow-disruptive --yes --no-persist --wait 60 >clear.out 2>&1 ||
    { echo "cannot clear: $(tail -n 1 clear.out)"; return 1; }
  echo 0 >/sys/kernel/scst_tgt/targets/iscsi/enabled
}
ours() { # file, name
  esos-scst apply "$1" --no-persist --wait 60 >"$2.out" 2>&1 || { echo "ours: $(grep -m 1 . "$2.out")"; return 1; }
  # Every apply ends with an empty plan.
  esos-scst plan "$1" | grep -q '^Plan: 0 to add, 0 to change, 0 to remove' || { echo "not empty after $2"; return 1; }
  $floor dump >"$2.tree"
}
theirs() { # file, name
  perl "$perl" -config "$1" -force -noprompt >"$2.out" 2>&1 || { echo "theirs: $(grep -A 2 -m 1 FATAL "$2.out" | tr -s '\n\t' ' ')"; return 1; }
  $floor dump >"$2.tree"
}
one() {
  n=$1
  clear && ours "$n.conf" a || return 1
  # Written by us, applied by both.
  esos-scst save --stdout >"$n.ours" 2>save.out || { echo "save: $(grep -m 1 . save.out)"; return 1; }
  clear && theirs "$n.ours" b || return 1
  diff a.tree b.tree >"$n.diff" || { echo "theirs of ours: $(wc -l <"$n.diff") lines"; return 1; }
  # Written by scstadmin, applied by us.
  perl "$perl" -write_config "/root/cases/$n.theirs" >w.out 2>&1 || { echo "write: $(grep -m 1 FATAL w.out)"; return 1; }
  clear && ours "$n.theirs" c || return 1
  # What scstadmin leaves out of its file (a DEVICE_GROUP without devices and target groups) it does not make
  # of it either.
  diff b.tree c.tree >"$n.diff" || {
    clear && theirs "$n.theirs" d || return 1
    diff d.tree c.tree >"$n.diff" || { echo "ours of theirs: $(wc -l <"$n.diff") lines"; return 1; }
  }
  rm -f "$n.diff" "$n.ours" "$n.theirs"
}

shift 2
tab=$(printf '\t')
read_only=0
for n in "$@"; do
  # A device's, not a LUN's: those have two tabs.
  anew='' automatic=Y
  if grep -q "^$tab${tab}read_only 1" "$n.conf"; then
    read_only=$((read_only + 1))
    if [ $((read_only % 10)) = 1 ]; then anew=yes; else automatic=N; fi
  fi
  echo $automatic >/sys/module/scst/parameters/auto_cm_assignment
  if what=$(one "$n"); then echo "$n same"; else echo "$n differs: $what"; fi
done

#!/bin/sh
# Runs in a box with SCST that has /root/t.conf (tests/guest/scst.conf) in force: verbs whose effect only the real
# kernel shows. Says what holds, one line each; ends with status 1 where something does not.
cd /root || exit 1
tree=/sys/kernel/scst_tgt
bad=0
is() { # what, found, expected
  if [ "$2" = "$3" ]; then echo "$1: $2"; else echo "$1: found '$2', expected '$3'"; bad=1; fi
}
holds() { # what, command: it succeeds
  what=$1
  shift
  if "$@" >verb.out 2>&1; then echo "$what: yes"; else echo "$what: no, status $?: $(cat verb.out)"; bad=1; fi
}
ends() { # what, status, command
  what=$1 want=$2
  shift 2
  "$@" >verb.out 2>&1
  is "$what ends with" $? "$want"
}
size() { esos-scst get "$1" size; }
without_late() { sed '/DEVICE late {/,/}/d; /LUN 3 late/d' t.conf; }

# check --live
without_late | sed 's/rel_tgt_id 1/&\n\t\tallowed_portal 198.51.100.77/; s/joe 0123456789ab/joe 01234567890123456789/; s/0a000002/0a000001/' >odd.conf
ends 'check --live of three faults' 4 esos-scst check odd.conf --live --json
cp verb.out check.json
for code in portal-absent chap-secret duplicate-serial; do
  holds "it names $code" grep -q "\"$code\"" check.json
done
without_late | sed 's/rel_tgt_id 1/&\n\t\tallowed_portal 127.*/' >good.conf
ends 'check --live of a good file' 0 esos-scst check good.conf --live

# resize
truncate -s 80M /data/f1
holds 'resize of a grown file' esos-scst resize f1
is 'its size' "$(size dev/vdisk_fileio/f1)" 83886080
is 'its size for an initiator' "$(iscsi-readcapacity16 -i iqn.2026-11.org.example:init1 \
  'iscsi://joe%0123456789ab@127.0.0.1/iqn.2026-11.org.example:t1/0' | sed -n 's/^Total size:[^0-9]*\([0-9]*\).*/\1/p')" 83886080
ends 'a size for a device with a backing store' 2 esos-scst resize f1 1GiB
holds 'a device without one' esos-scst add dev/vdisk_nullio/n1 size_mb=64
holds 'resize to a size' esos-scst resize n1 128MiB
is 'its size' "$(size dev/vdisk_nullio/n1)" 134217728
holds 'the file has it' grep -q 'n1' /etc/scst.conf

# lip: no card here
is 'lip' "$(esos-scst lip)" 'no target here can issue a LIP'
ends 'lip of an iSCSI target' 1 esos-scst lip iscsi/iqn.2026-11.org.example:t1

# alua set-state
holds 'set-state' esos-scst alua set-state dg1 remote nonoptimized
is 'the state' "$(head -n 1 $tree/device_groups/dg1/target_groups/remote/state)" nonoptimized
holds 'the file has it' grep -q nonoptimized /etc/scst.conf
ends 'a state that is none' 2 esos-scst alua set-state dg1 remote sleepy

# sessions --watch
echo 1 >$tree/measure_latency
iscsiadm -m node -T iqn.2026-11.org.example:t1 -p 127.0.0.1 --login >/dev/null && udevadm settle --timeout=60
disk=$(ls /dev/disk/by-path/*-iscsi-iqn.2026-11.org.example:t1-lun-1)
(i=0; while [ $i -lt 200 ] && [ ! -e watched ]; do dd if=/dev/zero of="$disk" bs=64k count=64 oflag=direct 2>/dev/null; i=$((i + 1)); done) &
esos-scst sessions --watch --count 2 --interval 2 --json >watch.json 2>watch.err
touch watched
wait
rate=$(sed -n 's/.*"write_bytes_per_second": *\([0-9]*\).*/\1/p' watch.json | head -n 1)
holds "bytes written in a second ($rate)" test "${rate:-0}" -gt 0
holds 'latency' grep -q average_us watch.json
holds 'initiator' grep -q '"iqn.2026-11.org.example:init2"' watch.json
esos-scst sessions
# A LUN in use is not taken away.
ends 'rm of a LUN in use' 5 esos-scst rm iscsi/iqn.2026-11.org.example:t1/group/hosts/lun/1 </dev/null
iscsiadm -m node -T iqn.2026-11.org.example:t1 -p 127.0.0.1 --logout >/dev/null
rm -f watched
echo 0 >$tree/measure_latency

# roll-back: the kernel opens a block device once, so the second step fails.
./scst_floor dump >before.tree
cp /etc/scst.conf before.conf
truncate -s 16M /data/f9
{ cat /etc/scst.conf; printf 'HANDLER vdisk_fileio {\n\tDEVICE f9 {\n\t\tfilename /data/f9\n\t}\n}\n'; } >more.conf
printf 'HANDLER vdisk_blockio {\n\tDEVICE a1 {\n\t\tfilename /dev/disk/by-id/virtio-block\n\t}\n}\nHANDLER vdisk_nullio {\n\tDEVICE n9 {\n\t\tsize_mb 16\n\t}\n}\n' >twice.conf
ends 'apply that the kernel refuses half-way' 6 esos-scst apply twice.conf
holds 'the tree is as before' sh -c './scst_floor dump | cmp - before.tree'
holds 'the file is as before' cmp before.conf /etc/scst.conf
# The way back from a change that was made.
holds 'add' esos-scst add dev/vdisk_fileio/f9 filename=/data/f9
holds 'it is there' test -d $tree/devices/f9
holds 'rollback' esos-scst rollback --allow-disruptive --yes
holds 'it is gone' test ! -d $tree/devices/f9
holds 'the tree is as before' sh -c './scst_floor dump | cmp - before.tree'
# A change that nobody confirms.
holds 'a change to confirm' esos-scst add dev/vdisk_fileio/f9 filename=/data/f9 --confirm-within 5s
i=0
while [ -d $tree/devices/f9 ] && [ $i -lt 120 ]; do sleep 1; i=$((i + 1)); done
holds 'it is taken back by itself' test ! -d $tree/devices/f9
is 'history' "$(esos-scst history | wc -l | awk '{ print ($1 >= 4) }')" 1
exit $bad

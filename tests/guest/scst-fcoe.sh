#!/bin/sh
# Runs in two boxes with SCST on one wire: `make target`, then `make initiator` makes each an FCoE port with its cable
# out (libfcoe of 6.12 falls over a frame that comes while its port is made), `serve` serves a LUN, `plug` puts a box's
# cable in, and `compare` writes the LUN, reads it again and prints its checksum, `sum` that of the backing file.
set -e
for nic in /sys/class/net/*; do [ ! -e "$nic/device" ] || break; done
nic=${nic##*/}
case $1 in
make)
  # Whoever asks for leases must let go of it.
  dhcpcd -x "$nic" >/dev/null 2>&1 || true
  ip link set "$nic" down
  modprobe fcoe
  [ "$2" != target ] || modprobe fcst
  echo "$nic" >/sys/module/libfcoe/parameters/create_vn2vn
  cat /sys/class/fc_host/host*/port_name
  ;;
serve)
  mkdir -p /data && truncate -s 64M /data/fcoe
  target=$(ls /sys/kernel/scst_tgt/targets/fcst | grep : | head -n 1)
  cat >/root/fcoe.conf <<EOF
HANDLER vdisk_fileio {
	DEVICE fcoe {
		filename /data/fcoe
		t10_dev_id fcoe
	}
}
TARGET_DRIVER fcst {
	TARGET $target {
		rel_tgt_id 1
		enabled 1
		LUN 0 fcoe
	}
}
EOF
  esos-scst apply /root/fcoe.conf
  esos-scst plan /root/fcoe.conf | tail -n 1
  ;;
plug) ip link set "$nic" up ;;
compare)
  try=0
  until [ -n "$disk" ]; do
    for model in /sys/block/sd*/device/model; do
      [ -e "$model" ] && [ "$(tr -d ' ' <"$model")" = fcoe ] || continue
      disk=${model#/sys/block/} disk=/dev/${disk%%/*}
    done
    try=$((try + 1))
    if [ $try -gt 120 ]; then
      grep -H . /sys/class/fc_host/host*/port_state /sys/class/fc_remote_ports/*/port_state >&2 || true
      dmesg | tail -n 20 >&2
      exit 1
    fi
    sleep 1
  done
  dd if=/dev/urandom of=/run/pattern bs=1M count=8 2>/dev/null
  dd if=/run/pattern of="$disk" bs=1M oflag=direct 2>/dev/null
  dd if="$disk" of=/run/back bs=1M count=8 iflag=direct 2>/dev/null
  cmp /run/pattern /run/back
  sha256sum </run/pattern
  ;;
sum)
  sync
  head -c 8388608 /data/fcoe | sha256sum
  ;;
esac

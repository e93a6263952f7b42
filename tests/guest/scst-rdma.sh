#!/bin/sh
# Runs in a box with SCST and a network card: a LUN by iSER and one by SRP over software RDMA (rdma_rxe), the box being
# target and initiator; each is written, read again and compared with its backing file.
set -e
cd /root
iqn=iqn.2026-11.org.example:iser
address=10.77.0.1
for nic in /sys/class/net/*; do [ ! -e "$nic/device" ] || break; done
nic=${nic##*/}
ip link set "$nic" up && ip address add $address/24 dev "$nic"
modprobe rdma_rxe && rdma link add rxe0 type rxe netdev "$nic"
# Loads what RDMA needs, now that there is some; SRP over Ethernet wants a port.
service scst start
[ ! -d /sys/module/ib_srpt ] || rmmod ib_srpt
modprobe ib_srpt rdma_cm_port=5555
target=$(ls /sys/kernel/scst_tgt/targets/ib_srpt | grep : | head -n 1)
mkdir -p /data && truncate -s 64M /data/iser /data/srp
cat >rdma.conf <<EOF
HANDLER vdisk_fileio {
	DEVICE iser {
		filename /data/iser
		t10_dev_id iser
	}
	DEVICE srp {
		filename /data/srp
		t10_dev_id srp
	}
}
TARGET_DRIVER iscsi {
	enabled 1
	TARGET $iqn {
		rel_tgt_id 1
		enabled 1
		LUN 0 iser
	}
}
TARGET_DRIVER ib_srpt {
	TARGET $target {
		rel_tgt_id 2
		enabled 1
		LUN 0 srp
	}
}
EOF
esos-scst apply rdma.conf
esos-scst plan rdma.conf | tail -n 1

compare() { # disk, file, what
  dd if=/dev/urandom of=/run/pattern bs=1M count=8 2>/dev/null
  dd if=/run/pattern of="$1" bs=1M oflag=direct 2>/dev/null
  dd if="$1" of=/run/back bs=1M count=8 iflag=direct 2>/dev/null
  cmp /run/pattern /run/back
  sync
  cmp -n 8388608 /run/pattern "$2"
  echo "$3: equal"
}
disk_of() { # model: the disk, when it is there
  for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    for model in /sys/block/sd*/device/model; do
      if [ -e "$model" ] && [ "$(tr -d ' ' <"$model")" = "$1" ]; then
        disk=${model#/sys/block/}
        echo "/dev/${disk%%/*}"
        return
      fi
    done
    sleep 1
  done
  return 1
}

echo InitiatorName=iqn.2026-11.org.example:init3 >/etc/iscsi/initiatorname.iscsi
modprobe ib_iser && { pidof iscsid >/dev/null || iscsid; }
iscsiadm -m discovery -t sendtargets -p $address -I iser >/dev/null
iscsiadm -m node -T $iqn -p $address -I iser --login >/dev/null
iscsiadm -m session -P 1 | grep 'Iface Transport: iser'
compare "$(disk_of iser)" /data/iser iSER

modprobe ib_srp
ids=$(sed 's/.*ioc_guid=\([0-9a-f]*\).*/id_ext=\1,ioc_guid=\1/' "/sys/kernel/scst_tgt/targets/ib_srpt/$target/login_info")
echo "$ids,dest=$address:5555" >/sys/class/infiniband_srp/srp-rxe0-1/add_target
compare "$(disk_of srp)" /data/srp SRP
esos-scst sessions

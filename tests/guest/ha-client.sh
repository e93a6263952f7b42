# An initiator with two paths, as docs/scst.md has it.
set -e
echo InitiatorName=iqn.2026-11.org.example:client >/etc/iscsi/initiatorname.iscsi
for module in iscsi_tcp scsi_dh_alua dm_multipath; do modprobe $module; done
pidof iscsid >/dev/null || iscsid
pidof multipathd >/dev/null || multipathd
multipathd reconfigure >/dev/null 2>&1 || true
for n in 1 2; do
  set -- -m node -T iqn.2026-11.org.example:n$n -p 10.77.0.$n
  iscsiadm "$@" -o new >/dev/null
  iscsiadm "$@" -o update -n node.session.timeo.replacement_timeout -v 15
  iscsiadm "$@" --login >/dev/null
done
udevadm settle --timeout=120

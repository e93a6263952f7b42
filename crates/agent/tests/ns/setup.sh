# SCST's tree of a fresh box, before the cluster starts there.
for d in device_groups/g/devices/d devices/d device_groups/g/target_groups/n1 device_groups/g/target_groups/n2; do mkdir -p /run/scst_tgt/$d; done
cd /run/scst_tgt; echo x >version; echo 0 >devices/d/active; echo '0 0' >devices/d/block; echo 1048576 >devices/d/size
for n in n1 n2; do echo offline >device_groups/g/target_groups/$n/state; done

#!/bin/sh
### BEGIN INIT INFO
# Provides:          hwclock
# Required-Start:    mountdevsubfs
# Required-Stop:     mountdevsubfs
# Should-Stop:       umountfs
# Default-Start:     S
# Default-Stop:      0 6
# Short-Description: The clock that runs while the box is off.
# Description:       It keeps UTC. The kernel has read it already if its driver is built in; chronyd sets it
#                    while the box runs.
### END INIT INFO
PATH=/usr/sbin:/usr/bin:/sbin:/bin
command -v hwclock >/dev/null || exit 0
# Without a clock there is nothing to read: that is no failure.
[ -e /dev/rtc0 ] || [ -e /dev/rtc ] || exit 0
case "$1" in
  start | restart | force-reload) exec timeout 10 hwclock --hctosys --utc ;;
  stop) exec timeout 10 hwclock --systohc --utc ;;
  status) exec hwclock --show --utc ;;
  *) echo "Usage: $0 {start|stop|status}" >&2; exit 3 ;;
esac

# What is left of a disconnected session does not hold the RAM disk's memory for ever.
ulimit -S -c 0 2>/dev/null
# A serial line does not know its size; ask it once, where somebody is there to answer.
case "$(tty 2>/dev/null)" in
  /dev/ttyS*) [ -n "${COLUMNS-}" ] || stty rows 24 cols 80 2>/dev/null ;;
esac
# Whoever starts the installer is told how to go on.
case " $(cat /proc/cmdline) " in
  *" esos_iso=install "*) case $- in *i*) esos-install ;; esac ;;
esac

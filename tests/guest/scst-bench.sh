#!/bin/sh
# Runs in a box with SCST: how long it takes to apply N LUNs from empty, to save them and to apply them again,
# for esos-scst, for the floor (tests/examples/scst_floor.rs) and for Perl's scstadmin. `$1` is scstadmin, `$2` the
# floor; then the sizes. Prints the median of three runs and the ratios.
perl=$1 floor=$2
shift 2
mkdir -p /root/bench && cd /root/bench || exit 1
rm -f /etc/scst.conf
echo '# nothing' >empty.conf

conf() { # N
  awk -v n="$1" 'BEGIN {
    print "HANDLER vdisk_nullio {"
    for (i = 0; i < n; i++) printf "\tDEVICE n%d {\n\t\tsize_mb 64\n\t\tt10_dev_id n%d\n\t}\n", i, i
    print "}\nTARGET_DRIVER iscsi {\n\tenabled 1\n\tTARGET iqn.2026-11.org.example:b {\n\t\trel_tgt_id 1\n\t\tenabled 1"
    for (i = 0; i < n; i++) printf "\t\tLUN %d n%d\n", i, i
    print "\t}\n}" }' >"n$1.conf"
}
# The writes of a plan as `FILE<TAB>VALUE`; the configurations here have neither secrets nor quotes.
writes() {
  esos-scst plan "$1" --json | awk -F'"' '/"writes": \[/ { on = 1 } /"undo":/ { on = 0 }
    on && /"file":/ { file = $4 } on && /"value":/ { print file "\t" $4 }'
}
clear() {
  esos-scst apply empty.conf --allow-empty --prune --allow-disruptive --yes --no-persist >clear.out 2>&1 || cat clear.out
  echo 0 >/sys/kernel/scst_tgt/targets/iscsi/enabled
}
took() { # name, command: seconds into a file
  name=$1
  shift
  "$floor" time "$name.t" "$@" >out.txt 2>&1 || echo "$name failed: $(tail -n 1 out.txt)"
}
median() { sort -n "$1.t" 2>/dev/null | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)]; else print "-" }'; }

for n in "$@"; do
  rm -f ./*.t
  conf "$n"
  clear
  writes "n$n.conf" >list
  for run in 1 2 3; do
    clear && took floor-window "$floor" apply list 30
    clear && took ours-window esos-scst apply "n$n.conf" --no-persist --suspend 30
    clear && took floor "$floor" apply list
    clear && took ours esos-scst apply "n$n.conf" --no-persist --no-suspend
    took read "$floor" read
    took save esos-scst save --stdout
    took noop esos-scst apply "n$n.conf" --no-persist
    if [ "$n" -le 100 ]; then
      took perl-save perl "$perl" -write_config /root/bench/w.conf
      took perl-noop perl "$perl" -config "n$n.conf" -noprompt
    fi
    if [ "$n" -le 100 ] || [ "$run" = 1 ]; then
      clear && took perl timeout 600 perl "$perl" -config "n$n.conf" -force -noprompt
    fi
  done
  printf '%s LUNs, %s writes:' "$n" "$(wc -l <list)"
  for name in floor-window ours-window floor ours perl read save noop perl-save perl-noop; do
    printf ' %s %s' "$name" "$(median "$name")"
  done
  echo
done
clear

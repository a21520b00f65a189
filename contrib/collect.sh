#!/bin/sh
# Prints what `acceptq check --from FILE` diagnoses, where acceptq cannot be installed: two samples of the
# listeners and counters of every network namespace, and what bounds them. POSIX shell; ss, nstat and
# nsenter where they are there, else /proc alone, so that busybox will do. Reads only.
#   sh collect.sh [SECONDS] >ticket.txt     between the two samples; 10 by default
# As root it sees every namespace, else its own. It prints addresses, ports, PIDs and names of
# programs; no payload, no environment, no command lines.
set -u

seconds=${1:-10}
case $seconds in
  '' | *[!0-9]*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

have() { command -v "$1" >/dev/null 2>&1; }

# A command behind the prompt that a reader knows, and what it says.
show() {
  echo "\$ $*"
  "$@" 2>&1
  echo
}

# One process of each network namespace but this one's, as far as they can be told.
others() {
  seen=" $(readlink /proc/self/ns/net 2>/dev/null) "
  for process in /proc/[0-9]*; do
    name=$(readlink "$process/ns/net" 2>/dev/null) || continue
    case $seen in *" $name "*) continue ;; esac
    seen="$seen$name "
    echo "${process#/proc/}"
  done
}

# sample [PREFIX…]: in the namespace that the prefix enters.
sample() {
  if have ss; then
    show "$@" ss -lntp
  else
    show "$@" cat /proc/net/tcp
    show "$@" cat /proc/net/tcp6
  fi
  if have nstat; then
    show "$@" nstat -asz  # -s: its file of earlier values stays as it is
  else
    show "$@" cat /proc/net/netstat
    show "$@" cat /proc/net/snmp
  fi
}

# What says how long a queue may be, and what happens when it is full.
bounds() {
  show "$@" grep . /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_max_syn_backlog \
    /proc/sys/net/ipv4/tcp_syncookies /proc/sys/net/ipv4/tcp_abort_on_overflow
}

everywhere() {
  "$@"
  for pid in $namespaces; do "$@" nsenter -t "$pid" -n; done
}

namespaces=
if have nsenter && [ "$(id -u)" = 0 ]; then namespaces=$(others); fi

show uname -a
everywhere bounds
show date
everywhere sample
sleep "$seconds"
show date
everywhere sample
if have dmesg; then
  echo "\$ dmesg"
  dmesg 2>/dev/null | grep -i 'SYN flooding' | tail -n 50
fi

#!/bin/bash
# In a guest of tools/vm: the agent as a unit of a real systemd, which is the first process of a PID
# namespace: ready, its status line, its capabilities, refused connections, reload, the watchdog, stop.
#   tools/vm 6.1 --timeout 600 -- tests/guests/agent_unit_test.sh
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
result=/tmp/agent-unit.result

# All of the guest's file system is its own, in memory.
start_systemd() { # BINARY
  install -m 755 "$1" /usr/local/bin/acceptq
  install -D -m 644 "$tree/deploy/acceptq-agent.yaml" /etc/acceptq/agent.yaml
  install -m 644 "$tree/deploy/systemd/acceptq-agent.service" /etc/systemd/system/
  mkdir -p /etc/systemd/system/acceptq-agent.service.d
  printf '[Service]\nWatchdogSec=20s\nRestartSec=1s\n' >/etc/systemd/system/acceptq-agent.service.d/short.conf
  cat >/etc/systemd/system/agent-unit.service <<UNIT
[Unit]
Wants=acceptq-agent.service
After=acceptq-agent.service
[Service]
Type=oneshot
ExecStart=$tree/tests/guests/agent_unit_test.sh inside
StandardOutput=truncate:$result
StandardError=inherit
UNIT
  : >/etc/fstab
  container=acceptq unshare --fork --pid --mount --mount-proc /lib/systemd/systemd --unit=agent-unit.service \
    >/tmp/systemd.log 2>&1 || true
  cat "$result" || { tail -n 30 /tmp/systemd.log; exit 1; }
  grep -qx "agent unit: ok" "$result"
}

fail() { echo "FAILED: $*"; journalctl -u acceptq-agent --no-pager -n 20 2>&1 || true; exit 1; }

# Until a command succeeds, for at most so many seconds.
within() { # SECONDS COMMAND…
  local seconds=$1
  shift
  for _ in $(seq "$seconds"); do
    if "$@"; then return 0; fi
    sleep 1
  done
  fail "not within $seconds s: $*"
}

property() { systemctl show -p "$1" --value acceptq-agent; }

# The value of the first sample that matches.
metric() { # REGULAR EXPRESSION
  python3 -c '
import re, sys, urllib.request
text = urllib.request.urlopen("http://127.0.0.1:9927/metrics", timeout=20).read().decode()
found = re.search(r"^(?:" + sys.argv[1] + r") (\S+)$", text, re.M)
print(found[1] if found else "")' "$1"
}

has_status() { [ -n "$(property StatusText)" ]; }
has_refused() {
  local labels='[^}]*port="7001"[^}]*stage="syn",reason="accept_queue_full"[^}]*' packets
  packets=$(metric "acceptq_listener_refused_packets_total\\{$labels\\}")
  [ "${packets:-0}" -gt 0 ]
}
is_restarted() { [ "$(property NRestarts)" = 1 ] && systemctl -q is-active acceptq-agent; }

inside() {
  trap 'systemctl exit 0' EXIT
  echo "systemd: $(systemctl --version | head -n 1)"
  within 120 systemctl -q is-active acceptq-agent
  local pid
  pid=$(property MainPID)
  within 60 has_status
  echo "status: $(property StatusText)"
  grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$pid/status"
  echo "tracing: $(metric 'acceptq_tracing_info\{level="functions"\}')"

  # A server that accepts nothing, and clients that try again.
  python3 -c '
import socket, time
server = socket.create_server(("127.0.0.1", 7001), backlog=1)
end = time.time() + 120
clients = []
while time.time() < end:
    for _ in range(5):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", 7001))
        clients.append(client)
    clients = clients[-50:]
    time.sleep(1)' &
  local load=$!
  within 60 has_refused
  echo "refused: told"
  local code=0
  acceptq check --agent :7001 >/tmp/report || code=$?
  [ "$code" -eq 1 ] || fail "check --agent ended with $code"
  head -n 4 /tmp/report
  kill "$load"

  systemctl reload acceptq-agent
  sleep 2
  [ "$(property MainPID)" = "$pid" ] || fail "a reload began another process"
  echo "reload: same process, $(property ActiveState)"

  kill -STOP "$pid"
  within 90 is_restarted
  echo "watchdog: restarted, $(property Result)"

  local begin=$SECONDS
  systemctl stop acceptq-agent
  echo "stop: $((SECONDS - begin)) s, $(property Result), status $(property ExecMainStatus)"
  [ "$(property Result)" = success ] || fail "it did not end well"
  [ ! -e /run/acceptq/agent.sock ] || fail "its socket is still there"
  echo "agent unit: ok"
}

case ${1-} in
  inside) inside ;;
  *) start_systemd "${1-$tree/build-dev/acceptq}" ;;
esac

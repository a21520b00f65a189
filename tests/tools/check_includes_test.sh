#!/bin/bash
# tools/check-includes catches what the table forbids, and lets pass what it allows.
set -euo pipefail
check=$(cd "$(dirname "$0")/../.." && pwd)/tools/check-includes
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/src/{base,facts,collect/netlink,diagnose,cli}
touch "$tree"/src/{base/result.h,facts/listener.h,collect/netlink/dump.h,diagnose/report.h}

# expect STATUS PATTERN WHAT: the check of the tree ends with STATUS and prints PATTERN.
expect() {
  local status=0 output
  output=$("$check" "$tree" 2>&1) || status=$?
  if [ "$status" -ne "$1" ] || ! grep -q -- "$2" <<<"$output"; then
    echo "FAILED: $3: status $status, output: $output" >&2
    exit 1
  fi
}

printf '#include <vector>\n#include <linux/tcp.h>\n#include "dump.h"\n#include "facts/listener.h"\n' \
  >"$tree/src/collect/netlink/dump.cc"
printf '#include "collect/netlink/dump.h"\n#include "diagnose/report.h"\n' >"$tree/src/cli/main.cc"
expect 0 '' 'allowed directions'

printf '#include "base/result.h"\n  #  include "collect/netlink/dump.h"\n' >"$tree/src/diagnose/a.cc"
expect 1 'src/diagnose/a.cc:2: src/diagnose/ may not use src/collect/' 'the core includes an edge'
printf '#include <collect/netlink/dump.h>\n' >"$tree/src/diagnose/a.cc"
expect 1 'may not use src/collect/' 'the same in angle brackets'
printf '#include "../collect/netlink/dump.h"\n' >"$tree/src/diagnose/a.cc"
expect 1 'may not use src/collect/' 'the same by a relative path'
printf '#include "collect/bpf/scan.skel.h"\n' >"$tree/src/diagnose/a.cc"
expect 1 'may not use src/collect/' 'a generated header that is not there'
printf '#include "collect/netlink/dump.h"\n' >"$tree/src/diagnose/a_test.cc"
: >"$tree/src/diagnose/a.cc"
expect 1 'a_test.cc:1' 'a test'
rm "$tree/src/diagnose/a_test.cc"

mkdir "$tree/src/extra"
touch "$tree/src/extra/x.h"
expect 1 'src/extra/ has no row' 'a folder without a row'

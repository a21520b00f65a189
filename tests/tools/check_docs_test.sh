#!/bin/bash
# tools/check-docs finds links into nowhere and no others.
set -euo pipefail
check=$(cd "$(dirname "$0")/../.." && pwd)/tools/check-docs
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/docs"
export GIT_CEILING_DIRECTORIES=${tree%/*}

# expect STATUS PATTERN WHAT: the check of the tree ends with STATUS and prints PATTERN.
expect() {
  local status=0 output
  output=$("$check" "$tree" 2>&1) || status=$?
  if [ "$status" -ne "$1" ] || ! grep -q -- "$2" <<<"$output"; then
    echo "FAILED: $3: status $status, output: $output" >&2
    exit 1
  fi
}

printf "# The house\n\n## What it is, \`now\`\n" >"$tree/docs/a.md"
cat >"$tree/README.md" <<'EOF'
[a](docs/a.md) [b](docs/a.md#what-it-is-now) [c](#top) [d](https://example.com/nothing)
# Top
`[no link](nowhere.md)`
```
[no link](nowhere.md)
```
EOF
expect 0 '' 'good links'
echo '[x](docs/missing.md)' >>"$tree/README.md"
expect 1 'README.md:7: docs/missing.md: no such file' 'a missing file'
sed -i '$d' "$tree/README.md"
echo '[x](docs/a.md#missing)' >>"$tree/README.md"
expect 1 'README.md:7: docs/a.md#missing: no such heading' 'a missing heading'
sed -i '$d' "$tree/README.md"
mkdir "$tree/src"
echo 'TEST(Queue, IsFull) {' >"$tree/src/queue_test.cc"
echo "The test \`Queue.IsFull\`, the method \`Queue.is_full\`, the file \`Queue.md\`." >>"$tree/README.md"
expect 0 '' 'a test that exists'
echo "\`Queue.IsEmpty\`" >>"$tree/README.md"
expect 1 'README.md:8: Queue.IsEmpty: no such test' 'a test that does not exist'

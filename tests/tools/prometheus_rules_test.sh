#!/bin/sh
# What promtool says of the rules and of the job that scrapes: their form, and whether the alerts fire and stay silent
# as rules_test.yaml says. (Debian's knows no discovery of pods: scrape-kubernetes.yaml cannot be read by it.)
#   prometheus_rules_test.sh SOURCE       the root of the repository; 77 without promtool
set -eu
if ! command -v promtool >/dev/null; then
  echo "skipped: no promtool (Debian's package prometheus)"
  exit 77
fi
cd "$1/deploy/prometheus"
promtool check config --syntax-only scrape.yaml
promtool check rules rules.yaml
promtool test rules rules_test.yaml

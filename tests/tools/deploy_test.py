#!/usr/bin/python3
"""Whether what is below deploy/ is what its sources give, and speaks of nothing that is not documented.

deploy_test.py SOURCE: the root of the repository.
"""

import json
import pathlib
import re
import subprocess
import sys

import yaml

SOURCE = pathlib.Path(sys.argv[1])
RULES = SOURCE / "deploy/prometheus/rules.yaml"
DASHBOARD = SOURCE / "deploy/grafana/dashboard.json"
KUBERNETES = sorted((SOURCE / "deploy/kubernetes").glob("*.yaml"))
# One metric; before it there is no level of a recorded one ("namespace_pod:acceptq_…").
METRIC = re.compile(r"(?<![\w:])(?:acceptq|process)_[a-z0-9_]+(?![\w:])")
RECORDED = re.compile(r"(?<![\w:])[a-z_]+:acceptq_[a-z0-9_]+:[a-z0-9_]+")
OF_A_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def documented():
    """Metrics with their type, of the tables of docs/metrics.md."""
    metrics = {}
    for line in (SOURCE / "docs/metrics.md").read_text().splitlines():
        if line.startswith("|"):
            cells = line.split("|")
            for name in re.findall(r"`([a-z0-9_]+)`", cells[1]):
                metrics[name] = cells[2].strip()
        else:
            metrics.update({name: "gauge" for name in re.findall(r"^`(acceptq_\w+)`", line)})
    assert len(metrics) > 20, metrics
    return metrics


def check_metrics(where, text, metrics, recorded):
    for name in set(METRIC.findall(text)):
        known = name in metrics or metrics.get(OF_A_HISTOGRAM.sub("", name)) == "histogram"
        assert known, f"{where}: {name} is not in docs/metrics.md"
    for name in set(RECORDED.findall(text)):
        assert name in recorded, f"{where}: no rule of {RULES.name} records {name}"


def check_alerts(rules):
    """Each has a section that its link leads to, and no section is of an alert that is not."""
    alerts = {rule["alert"] for rule in rules if "alert" in rule}
    text = (SOURCE / "docs/alerts.md").read_text()
    sections = set(re.findall(r"^### (Acceptq\w+)$", text, re.MULTILINE))
    assert alerts == sections, alerts ^ sections
    tested = set(re.findall(r"alertname: (\w+)", (RULES.parent / "rules_test.yaml").read_text()))
    assert alerts == tested, alerts ^ tested
    for rule in rules:
        if "alert" not in rule:
            continue
        assert rule["labels"]["severity"] in ("critical", "warning"), rule
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, rule
        assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{rule['alert'].lower()}", rule


def causes():
    text = (SOURCE / "src/diagnose/cause_kind.cc").read_text()
    return set(re.findall(r'"([a-z._]+)"', text[text.index("kNames"):text.index("static_assert")]))


def check_causes(rules):
    """Every cause that acceptq can name either says what to do first, or is left out by name."""
    rule, = (rule for rule in rules if rule.get("alert") == "AcceptqAcceptSlowByCause")
    said = set(re.findall(r'eq \$cause "([a-z._]+)"', rule["annotations"]["description"]))
    left_out = set(re.search(r'cause!~"([^"]+)"', rule["expr"])[1].split("|"))
    assert said | left_out == causes(), (said | left_out) ^ causes()


def main():
    subprocess.run([SOURCE / "deploy/generate", "--check"], check=True)
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    metrics = documented()
    for rule in rules:
        for text in (rule["expr"], *rule.get("annotations", {}).values()):
            check_metrics(rule.get("alert", rule.get("record")), text, metrics, recorded)
    json.loads(DASHBOARD.read_text())
    for file in (DASHBOARD, *KUBERNETES):
        code = re.sub(r"^\s*#.*", "", file.read_text(), flags=re.MULTILINE)
        check_metrics(file.name, code, metrics, recorded)
    check_alerts(rules)
    check_causes(rules)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Real overflow, a real agent, Debian's Prometheus and Alertmanager: the alert arrives with its names, and ends.

prometheus_e2e_test.py ACCEPTQ SOURCE: the binary, and the root of the repository. 77 where something is missing.

The queries of the dashboard and of what scales are run as well, against an exporter of examples that has a series of
every metric in docs/metrics.md: each must be accepted, and must find something.
"""

import contextlib
import ctypes
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

ACCEPTQ = sys.argv[1]
SOURCE = pathlib.Path(sys.argv[2])
NETNS = f"acceptq-e2e-{os.getpid()}"
SERVER = "e2e-server"
LIMIT = 5

# What is told to stop accepts nothing, until it is told to go on. Its name is the label `process`.
SERVER_CODE = f"""
import signal, socket, threading
open("/proc/self/comm", "w").write("{SERVER}")
going = threading.Event()
going.set()
signal.signal(signal.SIGUSR1, lambda *_: going.clear())
signal.signal(signal.SIGUSR2, lambda *_: going.set())
listener = socket.create_server(("127.0.0.1", 8080), backlog={LIMIT})
def serve():
    while going.wait():
        listener.accept()[0].close()
threading.Thread(target=serve, daemon=True).start()
while True:
    signal.pause()
"""
# Forty a second, each given up after two seconds.
CLIENT_CODE = """
import collections, socket, time
open = collections.deque()
while True:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 8080))
    open.append(client)
    if len(open) > 80:
        open.popleft().close()
    time.sleep(0.025)
"""


def die_with_the_test():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def started(stack, command, **more):
    # The process is known by its id, and ends with the test, however that ends.
    process = subprocess.Popen(command, preexec_fn=die_with_the_test, **more)  # pylint: disable=consider-using-with

    def end():
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def waited(what, condition, seconds):
    """What condition() gives, once that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


def answer(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


def serving(stack, handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return server.server_port


class Receiver:
    """What Alertmanager posts."""

    def __init__(self, stack):
        self.alerts = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.alerts += body["alerts"]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.port = serving(stack, Handler)

    def told(self, status, **labels):
        """The last such alert."""
        for alert in reversed(self.alerts):
            if alert["status"] == status and labels.items() <= alert["labels"].items():
                return alert
        return None


def examples(begin):
    """A series of each metric of docs/metrics.md, as of a listener in trouble; counters grow."""
    seconds = time.monotonic() - begin
    pod = 'namespace="shop",pod="web-1"'
    who = f'{pod},container="nginx",address="0.0.0.0",port="80",process="nginx"'
    more = {
        "acceptq_listener_limit_info": ('set_by="somaxconn"',),
        "acceptq_listener_refused_packets_total": ('stage="syn",reason="accept_queue_full"',
                                                   'stage="syn",reason="syn_queue_full"'),
        "acceptq_listener_cause_share": ('cause="io.nfs"',),
        "acceptq_build_info": ('version="1"',),
        "acceptq_tracing_info": ('level="functions"',),
        "acceptq_blind_spots": ('id="AQ602",unobserved="true"',),
    }
    for line in (SOURCE / "docs/metrics.md").read_text().splitlines():
        cells = line.split("|")
        names = re.findall(r"`((?:acceptq|process)_\w+)`", cells[1] if len(cells) > 2 else line)
        for name in names:
            base = who if "_listener_" in name else pod if "_netns_" in name else ""
            value = 100 * seconds if name.endswith("_total") else 0.9 if name.endswith("_share") else 7
            if len(cells) > 2 and cells[2].strip() == "histogram":
                for bound, share in (("0.262144", 0.2), ("1.048576", 0.4), ("+Inf", 1)):
                    yield f'{name}_bucket{{{base},le="{bound}"}} {100 * seconds * share}'
                yield f"{name}_sum{{{base}}} {100 * seconds}"
                yield f"{name}_count{{{base}}} {100 * seconds}"
                continue
            for extra in more.get(name, ("",)):
                yield f"{name}{{{','.join(part for part in (base, extra) if part)}}} {value}"


def exporter_of_examples(stack):
    begin = time.monotonic()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = "".join(line + "\n" for line in dict.fromkeys(examples(begin))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return serving(stack, Handler)


def shortened(text):
    """The rules with minutes as seconds, so that the test takes one: windows of 10 s for 5 min, and a wait of 1 s."""
    windows = {"[1m]": "[5s]", "[2m]": "[6s]", "[5m]": "[10s]", "[10m]": "[20s]", "[1h]": "[60s]"}
    for given, short in windows.items():
        text = text.replace(given, short)
    text = re.sub(r"(for|interval): \d+m", r"\1: 1s", text)
    assert not re.search(r"\[\d+[mh]\]|(for|interval): \d+m", text)
    return text


class Prometheus:
    def __init__(self, stack, folder, targets, alertmanager_port):
        (folder / "rules.yaml").write_text(shortened((SOURCE / "deploy/prometheus/rules.yaml").read_text()))
        # As scrape.yaml says, but for the addresses and TLS.
        job = yaml.safe_load((SOURCE / "deploy/prometheus/scrape.yaml").read_text())["scrape_configs"][0]
        job = {key: value for key, value in job.items() if key in ("job_name", "honor_labels")}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]},
            "scrape_configs": [{**job, "static_configs": [
                {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}} for name, port in targets.items()]}],
        }))
        self.url = f"http://127.0.0.1:{free_port()}"
        started(stack, ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb",
                        f"--web.listen-address={self.url[7:]}", "--log.level=warn"])
        waited("Prometheus is ready", lambda: "Ready" in answer(f"{self.url}/-/ready"), 30)

    def ask(self, query):
        reply = json.loads(answer(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": query})))
        assert reply["status"] == "success", (query, reply)
        return reply["data"]["result"]


def alertmanager(stack, folder, webhook_port):
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump({
        "route": {"receiver": "test", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
                  "repeat_interval": "1h"},
        "receivers": [{"name": "test", "webhook_configs": [
            {"url": f"http://127.0.0.1:{webhook_port}/", "send_resolved": True}]}],
    }))
    port = free_port()
    started(stack, ["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yaml",
                    f"--storage.path={folder}/alertmanager", f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=", "--log.level=warn"])
    waited("Alertmanager is ready", lambda: answer(f"http://127.0.0.1:{port}/-/ready"), 30)
    return port


def dashboard_queries():
    board = json.loads((SOURCE / "deploy/grafana/dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield f"dashboard: {panel['title']}", target["expr"]
    for annotation in board["annotations"]["list"]:
        yield "dashboard: annotations", annotation["expr"]
    for variable in board["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]) \
            if variable["type"] == "query" else None
        if found:
            yield f"dashboard: ${variable['name']}", f"count by ({found[2]}) ({found[1]})"


def scaling_queries():
    keda = yaml.safe_load((SOURCE / "deploy/kubernetes/keda.yaml").read_text())
    for trigger in keda["spec"]["triggers"]:
        yield "keda.yaml", trigger["metadata"]["query"]
    adapter, autoscaler = yaml.safe_load_all((SOURCE / "deploy/kubernetes/hpa.yaml").read_text())
    named = set()
    for rule in yaml.safe_load(adapter["data"]["config.yaml"])["rules"]:
        named.add(rule["name"]["as"])
        series, matchers = re.fullmatch(r"(.*)\{(.*)\}", rule["seriesQuery"]).groups()
        query = rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.LabelMatchers>>", matchers)
        yield "hpa.yaml", query.replace("<<.GroupBy>>", "namespace, pod")
    assert named == {metric["pods"]["metric"]["name"] for metric in autoscaler["spec"]["metrics"]}


def check_queries(prometheus):
    for where, query in [*dashboard_queries(), *scaling_queries()]:
        # "All" of each variable, and the examples' pod.
        query = re.sub(r"\$(instance|namespace|pod)\b", ".*", query).replace("$__rate_interval", "10s")
        assert "$" not in query, query
        assert prometheus.ask(query), f"{where}: nothing is found by {query}"
    for name in re.findall(r"record: (\S+)", (SOURCE / "deploy/prometheus/rules.yaml").read_text()):
        assert prometheus.ask(name), f"nothing is recorded as {name}"


def check_alert(alert):
    labels = alert["labels"]
    assert labels["severity"] == "critical", alert
    assert (labels["address"], labels["port"], labels["process"]) == ("127.0.0.1", "8080", SERVER), alert
    assert "pod" not in labels and "namespace" not in labels, alert
    notes = alert["annotations"]
    assert notes["summary"] == \
        f"{SERVER} at 127.0.0.1:8080 (network namespace {NETNS} on node-1) loses connections", alert
    assert f"The limit of the queue is {LIMIT} (set by: application)." in notes["description"], alert
    assert "First run `sudo acceptq check :8080` on node-1" in notes["description"], alert


def test(stack, folder):
    in_netns = ["ip", "netns", "exec", NETNS]
    subprocess.run(["ip", "netns", "add", NETNS], check=True)
    stack.callback(subprocess.run, ["ip", "netns", "delete", NETNS], check=False)
    subprocess.run([*in_netns, "ip", "link", "set", "lo", "up"], check=True)
    server = started(stack, [*in_netns, "/usr/bin/python3", "-c", SERVER_CODE])
    started(stack, [*in_netns, "/usr/bin/python3", "-c", CLIENT_CODE])

    agent_port = free_port()
    agent = started(stack, [ACCEPTQ, "agent", "--config", folder / "agent.yaml", "--listen", f"127.0.0.1:{agent_port}"])
    ours = f'netns="{NETNS}",port="8080"'
    waited("the agent knows the server", lambda: NETNS in answer(f"http://127.0.0.1:{agent_port}/metrics"), 60)

    receiver = Receiver(stack)
    prometheus = Prometheus(stack, folder, {"node-1": agent_port, "example": exporter_of_examples(stack)},
                            alertmanager(stack, folder, receiver.port))
    waited("Prometheus knows the server",
           lambda: prometheus.ask(f"acceptq_listener_refused_packets_total{{{ours}}}"), 30)
    time.sleep(5)
    assert not prometheus.ask(f"ALERTS{{{ours}}}"), prometheus.ask(f"ALERTS{{{ours}}}")

    begin = time.monotonic()
    server.send_signal(signal.SIGUSR1)
    alert = {"alertname": "AcceptqLosingConnections", "netns": NETNS, "instance": "node-1"}
    check_alert(waited("the alert arrives", lambda: receiver.told("firing", **alert), 45))
    print(f"the alert arrived after {time.monotonic() - begin:.1f} s")

    begin = time.monotonic()
    server.send_signal(signal.SIGUSR2)
    waited("the alert ends", lambda: receiver.told("resolved", **alert), 60)
    # The agent's minute, in which the queue was full, is not shortened.
    others = f'ALERTS{{{ours},alertname!="AcceptqNearLimit"}}'
    waited("no alert of the server is left", lambda: not prometheus.ask(others), 60)
    print(f"the alert ended after {time.monotonic() - begin:.1f} s")

    # The bound that AcceptqSlow goes by, where waits are known at all.
    for bounds in ("", ',le="1.048576"'):
        found = prometheus.ask(f"acceptq_listener_wait_seconds_bucket{{{ours}{bounds}}}")
        assert bool(found) == bool(prometheus.ask(f"acceptq_listener_wait_seconds_count{{{ours}}}")), bounds

    check_queries(prometheus)

    agent.terminate()
    assert agent.wait(timeout=10) == 0
    waited("the agent is missed", lambda: receiver.told("firing", alertname="AcceptqDown", instance="node-1"), 45)


def missing():
    for program in ("prometheus", "prometheus-alertmanager", "ip"):
        if shutil.which(program) is None:
            return f"no {program}"
    if os.geteuid() != 0:
        return "not root"
    return None


def main():
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        return 77
    # So that what was started is ended by a SIGTERM as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="acceptq-e2e-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        # Room for the listeners of other tests beside this one.
        (folder / "agent.yaml").write_text("interval: 1s\nmax_listeners: 20000\nsocket: \"\"\n")
        test(stack, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

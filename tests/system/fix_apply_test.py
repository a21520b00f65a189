#!/usr/bin/python3
"""`acceptq fix --apply` and `--undo` on a real nginx in a network namespace of the test's own.

fix_apply_test.py ACCEPTQ: the binary. 77 where something is missing. The journal of the tests is a folder
of their own, mounted over /var/lib where acceptq runs.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ACCEPTQ = sys.argv[1]
NGINX = "/usr/sbin/nginx"
OLD = 128
WANTED = 2048
PATIENCE = 20  # seconds
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # what nginx keeps in /var/lib else
SITE = """server {
  listen 8080;   # of the shop
  listen [::1]:8080;
  location / { return 200 ""; }
}
"""


def missing():
    if os.geteuid() != 0:
        return "needs root, to make a network namespace"
    for program in (NGINX, "unshare", "nsenter", "ss"):
        if shutil.which(program) is None:
            return f"no {program}"
    return None


def run(command, status=0):
    result = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == status, result
    return result.stdout


class Host:
    """A network namespace with nginx in it, and folders that are gone with the object."""

    def __init__(self, root):
        self.root = root
        self.journal = root / "lib"
        self.site = root / "conf.d" / "shop.conf"
        for folder in (self.journal, self.site.parent, root / "logs"):
            folder.mkdir()
        self.site.write_text(SITE)
        (root / "nginx.conf").write_text(
            f"daemon off; pid {root}/nginx.pid; error_log {root}/error.log;\n"
            "events {}\nhttp { access_log off; include conf.d/*.conf;\n" +
            "".join(f"{each}_temp_path {root}/{each};" for each in TEMPORARY) + "}\n")
        start = (f"ip link set lo up && echo {OLD} >/proc/sys/net/core/somaxconn && "
                 f"exec {NGINX} -p {root}/ -c {root}/nginx.conf")
        self.nginx = subprocess.Popen(["unshare", "--net", "sh", "-c", start])
        wait_for(lambda: set(self.limits().values()) == {OLD} and len(self.limits()) == 2,
                 "nginx listens")

    def inside(self, command):
        return run(["nsenter", "-t", str(self.nginx.pid), "-n", *command])

    def limits(self):
        try:
            text = self.inside(["ss", "-Hlnt"])
        except AssertionError:  # it has no namespace yet
            return {}
        return {m[2]: int(m[1]) for m in re.finditer(r"LISTEN +\d+ +(\d+) +(\S+)", text)}

    def somaxconn(self):
        return int(self.inside(["cat", "/proc/sys/net/core/somaxconn"]))

    def fix(self, *arguments, status=0):
        netns = os.stat(f"/proc/{self.nginx.pid}/ns/net").st_ino
        command = [ACCEPTQ, "fix", f"netns:{netns}", *arguments, "--yes", "--json"]
        script = f'mount --bind "{self.journal}" /var/lib && exec "$@"'
        return json.loads(run(["unshare", "--mount", "sh", "-c", script, "sh", *command], status))

    def apply(self, forms, limit=WANTED, status=0):
        return self.fix("--for", "0s", "--limit", str(limit), "--apply", forms, status=status)

    def changes(self):
        return sorted(self.journal.glob("acceptq/changes/*"))

    def end(self):
        self.nginx.send_signal(signal.SIGTERM)
        self.nginx.wait(PATIENCE)


def wait_for(condition, what):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"not in {PATIENCE} s: {what}"
        time.sleep(0.05)


def as_it_was(host):
    assert host.site.read_text() == SITE
    assert host.somaxconn() == OLD
    assert set(host.limits().values()) == {OLD}, host.limits()
    assert not host.changes()


def test_both_forms_are_applied_and_taken_back(host):
    report = host.apply("netns.sysctl,server.config")
    assert report["done"], report
    assert [limit["after"] for limit in report["change"]["limits"]] == [WANTED, WANTED]
    assert set(host.limits().values()) == {WANTED}
    assert host.site.read_text().count(f"backlog={WANTED}") == 2
    kept = pathlib.Path(report["change"]["kept_in"].replace("/var/lib", str(host.journal), 1))
    assert (kept / "1-shop.conf").read_text() == SITE
    report = host.fix("--undo")
    assert report["done"] and len(report["applied"]) == 1, report
    as_it_was(host)


def test_a_faulty_configuration_is_never_read(host):
    broken = host.site.with_name("z.conf")
    broken.write_text("bogus on;\n")
    report = host.apply("netns.sysctl,server.config", status=3)
    assert report["change"]["end"] == "taken_back", report
    assert 'unknown directive "bogus"' in report["change"]["error"]
    broken.unlink()
    as_it_was(host)


def test_the_sysctl_alone_waits_for_the_server(host):
    report = host.apply("netns.sysctl")
    assert report["change"]["limits"][0]["expected"] is None
    assert host.somaxconn() == WANTED
    assert set(host.limits().values()) == {OLD}
    assert report["mind"]
    host.fix("--undo")
    as_it_was(host)


def test_no_queue_is_made_shorter(host):
    host.apply("netns.sysctl,server.config")
    host.inside(["sh", "-c", f"echo {OLD} >/proc/sys/net/core/somaxconn"])
    report = host.apply("server.config", limit=4096, status=2)
    assert [each["kind"] for each in report["objections"]] == ["shorter"] * 2, report
    assert set(host.limits().values()) == {WANTED}
    # somaxconn is as it was before already, though not by acceptq.
    host.fix("--undo")
    as_it_was(host)


def test_what_somebody_else_edited_since_stays(host):
    host.apply("server.config")
    edited = host.site.read_text() + "# by hand\n"
    host.site.write_text(edited)
    report = host.fix("--undo", status=3)
    assert not report["done"] and len(report["applied"][0]["left"]) == 1, report
    assert host.site.read_text() == edited
    assert len(host.changes()) == 1


def test_other_forms_are_refused(host):
    for forms in ("pod.sysctls", "server.config,nonsense"):
        run([ACCEPTQ, "fix", f"pid:{host.nginx.pid}", "--for", "0s", "--limit", "4096", "--apply",
             forms, "--yes"], 2)
    as_it_was(host)


def main():
    reason = missing()
    if reason:
        print("skipped:", reason)
        return 77
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        with tempfile.TemporaryDirectory(prefix="acceptq-apply-") as folder:
            host = Host(pathlib.Path(folder))
            try:
                test(host)
            finally:
                host.end()
        print("ok", name)
    return 0


sys.exit(main())

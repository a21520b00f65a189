#!/usr/bin/python3
"""Whether the forms that `acceptq fix` prints for a pod do in a real pod what they say.

containerd, runc and Debian's CNI plugins, asked through CRI as the kubelet asks them, run nginx in a pod
whose somaxconn is 128. acceptq has to name the pod, the limit and who set it. Then, for each printed
form, a new pod is made with it: kubectl applies the patches, the plugin goes behind the last of the
conflist, patch changes nginx's configuration. The limit in force is read inside the new pod.

cri_forms_test.py ACCEPTQ SOURCE: the binary, and the root of the repository. 77 where something is missing.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True  # into the sources
sys.path.insert(0, os.path.join(sys.argv[2], "tests"))
from guests.guest_support import nginx_conf  # noqa: E402
from support import pod_node  # noqa: E402
from support.pod_node import run, wait_for, with_libraries  # noqa: E402

ACCEPTQ = sys.argv[1]
NAMESPACE = "shop"
NGINX = "/usr/sbin/nginx"
NGINX_WORK = "/work"  # in its image
BUSYBOX = "/bin/busybox"
OLD = 128  # somaxconn of a new pod here, as with kernels before 5.4
WANTED = 4096
NGINX_BACKLOG = 511  # unless told otherwise
SECONDS = 240  # of all, then what was started is ended

# The last plugin stands for an old kernel.
CONFLIST = {
    "cniVersion": "0.4.0", "name": "pods",
    "plugins": [
        {"type": "bridge", "bridge": "cni0",
         "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]]}},
        {"type": "tuning", "sysctl": {"net.core.somaxconn": str(OLD)}}]}


def missing():
    for program in ("kubectl", "nsenter", "patch", "ss"):
        if shutil.which(program) is None:
            return f"no {program}"
    for file in (NGINX, BUSYBOX):
        if not os.path.exists(file):
            return f"no {file}"
    return pod_node.missing()


def deployment(conf):
    """Whose nginx has this file as its configuration, as from a ConfigMap."""
    spec = {"volumes": [{"name": "conf", "hostPath": {"path": str(conf)}}],
            "containers": [{"name": "nginx", "image": "nginx",
                            "volumeMounts": [{"name": "conf", "mountPath": "/etc/nginx/nginx.conf"}]}]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": {"app": "web"}},
                     "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}}}


def pod_sysctls(limit):
    setting = [{"name": "net.core.somaxconn", "value": str(limit)}]
    return json.dumps({"spec": {"template": {"spec": {"securityContext": {"sysctls": setting}}}}})


def patched(conf, patch):
    """What the API server makes of it."""
    command = ["kubectl", "patch", "--local", "--type=strategic", "-f", "-", "-o", "json", "-p", patch]
    return json.loads(run(command, input=json.dumps(deployment(conf))))


def acceptq(*arguments):
    result = subprocess.run([ACCEPTQ, *arguments], text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result
    return json.loads(result.stdout)


class Web:
    """A pod of a Deployment, with nginx; its name is one that Kubernetes would make."""

    suffixes = (f"847g{last}" for last in "bcdfghjkl")

    def __init__(self, node, template):
        self.name = f"web-6484d4b457-{next(self.suffixes)}"
        self.node = node
        self.pod = node.run_pod(NAMESPACE, self.name, template["spec"]["template"]["spec"])
        self._start(attempt=0)

    def _start(self, attempt):
        self.container = self.pod.start(self.pod.spec["containers"][0], attempt)
        self.pid = wait_for("nginx", lambda: self.node.processes(self.container))[0]
        wait_for("nginx that listens", self.limit)

    def restart(self):
        """As when nginx dies and the kubelet starts it again: in the same sandbox."""
        os.kill(self.pid, signal.SIGTERM)
        self.pod.end_of(self.container)
        self._start(attempt=1)

    def _inside(self, *command):
        return run(["nsenter", "-t", str(self.pid), "-n", *command]).split()

    def limit(self):
        words = self._inside("ss", "-Hlnt", "sport = :80")
        return int(words[2]) if words else None

    def somaxconn(self):
        return int(self._inside("cat", "/proc/sys/net/core/somaxconn")[0])

    def report(self):
        return acceptq("check", "--json", "--all", "--for", "0s", f"pod:{NAMESPACE}/{self.name}")["listeners"]


def ways_of(web):
    """What acceptq says to do for this pod, one dict for each knob: {form: way}."""
    pod = f"pod:{NAMESPACE}/{web.name}"
    plan, = acceptq("fix", "--json", "--for", "0s", "--limit", str(WANTED), pod)["plans"]
    assert (plan["limit"], plan["limit_set_by"], plan["no_change"]) == (OLD, "somaxconn", None), plan
    return [{way["form"]: way for way in knob["ways"]} for knob in plan["knobs"]]


def piece(way, where):
    return next(each["text"] for each in way["pieces"] if where in each["where"])


def expect_old(web):
    assert (web.limit(), web.somaxconn()) == (OLD, OLD), (web.limit(), web.somaxconn())
    listener, = web.report()
    assert listener["accept_queue"]["limit"] == OLD, listener
    assert listener["accept_queue"]["limit_set_by"] == "somaxconn", listener
    for owner in listener["owners"]:
        assert (owner["pod"]["namespace"], owner["pod"]["name"]) == (NAMESPACE, web.name), listener
        assert (owner["container"]["name"], owner["container"]["runtime"]) == ("nginx", "containerd"), listener


def expect(form, web, backlog):
    """The form has done its part, and the limit is what the server's own backlog leaves of it."""
    limit = min(WANTED, backlog)
    listener, = web.report()
    queue = listener["accept_queue"]
    print(f"{form}, nginx asks for {backlog}: limit {web.limit()}, somaxconn {web.somaxconn()}; "
          f"acceptq: {queue['limit']} by {queue['limit_set_by']}")
    assert web.somaxconn() == WANTED
    assert web.limit() == limit
    assert (queue["limit"], queue["somaxconn"]) == (limit, WANTED), listener
    if limit < WANTED:
        assert queue["limit_set_by"] == "application", listener


def enlarge_in_place(web):
    """From the node, and back again."""
    pod = f"pod:{NAMESPACE}/{web.name}"
    run([ACCEPTQ, "fix", "--live", "--yes", "--for", "0s", "--limit", str(WANTED), pod])
    listener, = web.report()
    print(f"--live: limit {web.limit()}, somaxconn {web.somaxconn()}; "
          f"acceptq: set by {listener['accept_queue']['limit_set_by']}")
    assert (web.limit(), web.somaxconn()) == (WANTED, OLD)
    assert listener["accept_queue"]["limit_set_by"] == "acceptq", listener
    run([ACCEPTQ, "fix", "--undo", "--yes", pod])
    expect_old(web)


def add_images(node):
    node.add_image("docker.io/library/pause:latest", {"/bin/sleep": BUSYBOX}, command=["sleep", "infinity"])
    node.add_image("docker.io/library/busybox:latest", {"/bin/sysctl": BUSYBOX})
    node.add_image("docker.io/library/nginx:latest",
                   {**with_libraries(NGINX), "/etc/passwd": b"root:x:0:0::/:\n",
                    "/etc/group": b"root:x:0:\n", f"{NGINX_WORK}/here": b""},
                   command=["nginx", "-c", "/etc/nginx/nginx.conf"])


def try_forms(node):
    folder = pod_node.RUN / "plain"
    conf = folder / "etc/nginx/nginx.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(nginx_conf(NGINX_WORK, "listen 80;"))
    old = Web(node, deployment(conf))
    expect_old(old)
    pod_ways, server_ways = ways_of(old)

    enlarge_in_place(old)
    # The knob behind it is that of nginx: each form is tried alone, and with that changed, too.
    changed = pathlib.Path(shutil.copytree(folder, pod_node.RUN / "changed"))
    run(["patch", "-p1", "-d", changed], input=piece(server_ways["server.config"], "patch -p1"))
    servers = ((conf, NGINX_BACKLOG), (changed / "etc/nginx/nginx.conf", WANTED))

    for form in ("pod.sysctls", "pod.init_container"):
        patch = piece(pod_ways[form], f"kubectl -n {NAMESPACE} patch deployment web ")
        for file, backlog in servers:
            expect(form, Web(node, patched(file, patch)), backlog)

    plugin = json.loads(piece(pod_ways["cni.tuning"], "/etc/cni/net.d"))
    node.set_conflist({**CONFLIST, "plugins": [*CONFLIST["plugins"], plugin]})
    for file, backlog in servers:
        expect("cni.tuning", Web(node, deployment(file)), backlog)
    # Which is not above what a pod's own specification sets.
    expect_old(Web(node, patched(conf, pod_sysctls(OLD))))
    # None of them has reached the pod that was there.
    expect_old(old)
    run(pod_ways["netns.sysctl"]["content"], shell=True)
    assert (old.limit(), old.somaxconn()) == (OLD, WANTED), (old.limit(), old.somaxconn())
    old.restart()
    expect("netns.sysctl", old, NGINX_BACKLOG)


def stop(_signal, _frame):
    raise TimeoutError(f"not done within {SECONDS} s, or told to stop")


def main():
    reason = missing()
    if reason:
        print(f"cri_forms_test skipped: {reason}")
        return 77
    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.alarm(SECONDS)
    with pod_node.Node(CONFLIST) as node:
        try:
            add_images(node)
            try_forms(node)
        finally:
            signal.alarm(0)  # the rest has time-outs of its own
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A node that runs pods: containerd with CRI, runc and Debian's CNI plugins, and of the kubelet as much as
makes a pod's specification into calls of CRI.

What containerd writes stays in a mount namespace of the calling process (tmpfs on /run and /var/lib); all
that it starts lives in one PID namespace, which ends with the caller however that ends; bridge and veth
are in a network namespace that goes with them. Only control groups are left, which are removed at
the end (empty ones stay where the caller was killed).
"""

import ctypes
import hashlib
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import uuid

from .cri import Cri

PLUGINS = pathlib.Path("/usr/lib/cni")
# The caller's own, see _isolate().
RUN = pathlib.Path("/run/pod-node")
SOCKET = "/run/containerd/containerd.sock"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# As the kubelet asks for: the network and the IPC of the pod, PIDs of each container's own.
NAMESPACES = {"network": 0, "pid": 1, "ipc": 0}
CLONE_NEWNS = 0x20000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)

CONFIG = f"""
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.restart"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:latest"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{RUN}/net.d"
"""


def run(command, **more):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=60, **more).stdout


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)
    return result


def missing():
    """What a node needs and is not there, or None."""
    if os.geteuid() != 0:
        return "not root"
    for program in ("containerd", "ctr", "runc", "unshare"):
        if shutil.which(program) is None:
            return f"no {program}"
    for plugin in ("bridge", "host-local", "loopback", "tuning"):
        if not (PLUGINS / plugin).exists():
            return f"no CNI plugin {plugin} in {PLUGINS}"
    return None if Cri.is_available() else "no grpc for Python"


def with_libraries(program):
    """{path: path} of a program of this machine and of the libraries that it needs."""
    words = run(["ldd", program]).split()
    return {path: path for path in [program, *(word for word in words if word.startswith("/"))]}


def _add(tar, path, data):
    info = tarfile.TarInfo(path.lstrip("/"))
    info.size, info.mode = len(data), 0o755
    tar.addfile(info, io.BytesIO(data))


def _is_privileged(container):
    return container.get("securityContext", {}).get("privileged", False)


def _isolate():
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run(["mount", "--make-rprivate", "/"])
    for place in ("/run", "/var/lib"):
        run(["mount", "-t", "tmpfs", "tmpfs", place])


class Pod:
    """Made of a specification as the kubelet makes it, of what is used here."""

    def __init__(self, cri, group, namespace, name, spec):
        self.cri, self.spec = cri, spec
        uid = str(uuid.uuid4())
        self.labels = {"io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.name": name,
                       "io.kubernetes.pod.uid": uid}
        self.logs = RUN / "logs" / name
        self.logs.mkdir(parents=True)
        containers = spec["containers"] + spec.get("initContainers", [])
        self.config = {
            "metadata": {"name": name, "uid": uid, "namespace": namespace},
            "hostname": name, "log_directory": str(self.logs), "labels": self.labels,
            "linux": {
                "cgroup_parent": f"/{group}/kubepods/besteffort/pod{uid}",
                "security_context": {"namespace_options": NAMESPACES,
                                     "privileged": any(_is_privileged(each) for each in containers)},
                "sysctls": {each["name"]: each["value"]
                            for each in spec.get("securityContext", {}).get("sysctls", [])}}}
        self.sandbox = cri.run_sandbox(self.config)

    def start(self, container, attempt=0):
        """The ID of a new container for this part of the specification."""
        volumes = {each["name"]: each["hostPath"]["path"] for each in self.spec.get("volumes", [])}
        security = {"privileged": _is_privileged(container), "namespace_options": NAMESPACES}
        user = container.get("securityContext", {}).get("runAsUser")
        if user is not None:
            security["run_as_user"] = {"value": user}
        return self.cri.start_container(self.sandbox, {
            "metadata": {"name": container["name"], "attempt": attempt},
            "image": {"image": container["image"]},
            "command": container.get("command", []),
            "mounts": [{"container_path": each["mountPath"], "host_path": volumes[each["name"]],
                        "readonly": True} for each in container.get("volumeMounts", [])],
            "labels": {**self.labels, "io.kubernetes.container.name": container["name"]},
            "log_path": f"{container['name']}.log",
            "linux": {"security_context": security}}, self.config)

    def initialize(self):
        for container in self.spec.get("initContainers", []):
            if self.end_of(self.start(container)) != 0:
                raise RuntimeError((self.logs / f"{container['name']}.log").read_text())

    def end_of(self, container):
        """Its exit code."""
        wait_for(f"the end of {container}", lambda: self.cri.exit_code(container) is not None)
        return self.cri.exit_code(container)


class Node:
    """To be used as a context: the calling process is in another mount namespace from then on."""

    def __init__(self, conflist):
        self.conflist = conflist
        self.group = f"pod-node-{os.getpid()}"
        self.sandboxes = []

    def __enter__(self):
        _isolate()
        (RUN / "net.d").mkdir(parents=True)
        (RUN / "config.toml").write_text(CONFIG)
        with open(RUN / "containerd.log", "w", encoding="utf-8") as log:
            self.containerd = subprocess.Popen(
                ["unshare", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
                 "containerd", "--config", RUN / "config.toml"],
                stdout=log, stderr=log, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.cri = Cri(SOCKET)
        self.set_conflist(self.conflist)
        return self

    def __exit__(self, failed, *_):
        if failed:
            print((RUN / "containerd.log").read_text()[-4000:], file=sys.stderr)
        try:
            while self.sandboxes:
                self.cri.remove_sandbox(self.sandboxes.pop())
        finally:
            self.cri.close()
            self.containerd.kill()
            self.containerd.wait()
            wait_for("the end of all containers", lambda: not self.processes())
            for group in self._groups():
                group.rmdir()

    def set_conflist(self, conflist):
        """As editors do: containerd would not notice one that is moved here from another folder."""
        text = json.dumps(conflist)
        (RUN / "net.d/new").write_text(text)
        (RUN / "net.d/new").rename(RUN / "net.d/10-pods.conflist")
        wait_for("containerd with the new conflist", lambda: text in self._conflists())

    def _conflists(self):
        configuration = self.cri.network_configuration()
        networks = json.loads(configuration)["Networks"] if configuration else []
        return [each["Config"]["Source"] for each in networks]

    def add_image(self, name, files, command=()):
        """Of one layer; files: {path in it: bytes, or a path of this machine}."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for path, content in files.items():
                _add(tar, path, pathlib.Path(content).read_bytes() if isinstance(content, str) else content)
        config = {"architecture": ARCHITECTURES.get(os.uname().machine, ""), "os": "linux",
                  "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/bin"], "Cmd": [*command]},
                  "rootfs": {"type": "layers",
                             "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]}}
        archive = RUN / "image.tar"
        with tarfile.open(archive, "w") as tar:
            _add(tar, "config.json", json.dumps(config).encode())
            _add(tar, "layer.tar", layer.getvalue())
            _add(tar, "manifest.json", json.dumps(
                [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode())
        run(["ctr", "-n", "k8s.io", "images", "import", archive])
        archive.unlink()
        wait_for(f"image {name}", lambda: self.cri.has_image(name))

    def run_pod(self, namespace, name, spec):
        """Up to the end of its init containers."""
        pod = Pod(self.cri, self.group, namespace, name, spec)
        self.sandboxes.append(pod.sandbox)
        pod.initialize()
        return pod

    def _groups(self):
        """Of all hierarchies, the inner ones first."""
        tops = [*CGROUPS.glob(self.group), *CGROUPS.glob(f"*/{self.group}")]
        return [pathlib.Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]

    def processes(self, container=""):
        """PIDs as this process sees them, the oldest first; of all containers by default."""
        return sorted({int(pid) for group in self._groups() if container in group.name
                       for pid in (group / "cgroup.procs").read_text().split()})

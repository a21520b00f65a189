"""A client of the Kubernetes container runtime interface (runtime.v1), for the few calls that tests make.

Messages are dicts and are encoded here, by the field numbers of k8s.io/cri-api
pkg/apis/runtime/v1/api.proto: only those fields that are used have a name.
"""

try:
    import grpc
except ImportError:
    grpc = None

MAP = "map"  # of text to text

_NAMESPACES = {"network": 1, "pid": 2, "ipc": 3}
_INT64_VALUE = {"value": 1}
_IMAGE = {"image": 1}
_SANDBOX = {
    "metadata": (1, {"name": 1, "uid": 2, "namespace": 3, "attempt": 4}),
    "hostname": 2, "log_directory": 3, "labels": (6, MAP), "annotations": (7, MAP),
    "linux": (8, {
        "cgroup_parent": 1,
        "security_context": (2, {"namespace_options": (1, _NAMESPACES), "privileged": 6}),
        "sysctls": (3, MAP)})}
_CONTAINER = {
    "metadata": (1, {"name": 1, "attempt": 2}),
    "image": (2, _IMAGE), "command": 3,
    "mounts": (7, {"container_path": 1, "host_path": 2, "readonly": 3}),
    "labels": (9, MAP), "annotations": (10, MAP), "log_path": 11,
    "linux": (15, {"security_context": (2, {"privileged": 2, "namespace_options": (3, _NAMESPACES),
                                            "run_as_user": (5, _INT64_VALUE)})})}
_ID = {"id": 1}
_REQUESTS = {
    "RunPodSandbox": {"config": (1, _SANDBOX)},
    "StopPodSandbox": _ID, "RemovePodSandbox": _ID,
    "CreateContainer": {"pod_sandbox_id": 1, "config": (2, _CONTAINER), "sandbox_config": (3, _SANDBOX)},
    "StartContainer": _ID, "ContainerStatus": _ID,
    "Status": {"verbose": 1}, "ImageStatus": {"image": (1, _IMAGE)}}

EXITED = 2  # CONTAINER_EXITED


def _varint(number):
    number &= (1 << 64) - 1
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def _field(number, value, fields):
    if isinstance(value, list):
        return b"".join(_field(number, each, fields) for each in value)
    if fields == MAP:
        return b"".join(_field(number, {"key": key, "value": text}, {"key": 1, "value": 2})
                        for key, text in value.items())
    if isinstance(value, int):  # and bool
        return _varint(number << 3) + _varint(value)
    data = encode(value, fields) if isinstance(value, dict) else value.encode()
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def encode(message, fields):
    result = b""
    for name, value in message.items():
        number, inner = fields[name] if isinstance(fields[name], tuple) else (fields[name], None)
        result += _field(number, value, inner)
    return result


def decode(data):
    """{number: [value, …]}: ints, or bytes, which the caller knows for a text or a message."""
    def varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    result, at = {}, 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        elif key & 7 == 2:
            size, at = varint(at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {key & 7}")
        result.setdefault(key >> 3, []).append(value)
    return result


class Cri:
    @staticmethod
    def is_available():
        return grpc is not None

    def __init__(self, socket):
        self.channel = grpc.insecure_channel(f"unix://{socket}")

    def close(self):
        self.channel.close()

    def call(self, name, message, service="RuntimeService", seconds=60):
        method = self.channel.unary_unary(f"/runtime.v1.{service}/{name}")
        return decode(method(encode(message, _REQUESTS[name]), timeout=seconds, wait_for_ready=True))

    def network_configuration(self):
        """As JSON text, once the network is ready; else nothing."""
        status = self.call("Status", {"verbose": True})
        conditions = [decode(condition) for condition in decode(status[1][0])[1]]
        if not all(condition.get(2) == [1] for condition in conditions):
            return None
        info = {entry[1][0]: entry[2][0] for entry in map(decode, status[2])}
        return info[b"cniconfig"].decode()

    def has_image(self, name):
        return 1 in self.call("ImageStatus", {"image": {"image": name}}, service="ImageService")

    def run_sandbox(self, config):
        return self.call("RunPodSandbox", {"config": config})[1][0].decode()

    def remove_sandbox(self, sandbox):
        """With all of its containers."""
        self.call("StopPodSandbox", {"id": sandbox})
        self.call("RemovePodSandbox", {"id": sandbox})

    def start_container(self, sandbox, config, sandbox_config):
        container = self.call("CreateContainer", {"pod_sandbox_id": sandbox, "config": config,
                                                  "sandbox_config": sandbox_config})[1][0].decode()
        self.call("StartContainer", {"id": container})
        return container

    def exit_code(self, container):
        """None while it has not exited."""
        status = decode(self.call("ContainerStatus", {"id": container})[1][0])
        return status.get(7, [0])[0] if status.get(3) == [EXITED] else None

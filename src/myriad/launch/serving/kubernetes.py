"""Kubernetes manifests of a deployment.

Replicas of one node are a Deployment behind a Service; of several nodes, a LeaderWorkerSet, whose leaders answer.
Servers of prefill and of decode have names of their own, so that the router can be told each: a StatefulSet or a
LeaderWorkerSet each, and the router as a Deployment.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import yaml

from myriad.errors import SpecError
from myriad.launch.serving.commands import (
    LEADER_ADDRESS,
    NODE_RANK,
    OPTIONS_FOLDER,
    OWN_ADDRESS,
    Command,
)
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.serving_launch import ServingLaunch

Object = dict[str, Any]

PLAN: Final = "myriad/deployment"
"""Annotation that keeps what was planned, so that a run can be held against it."""
_PROBE_PERIOD_S: Final = 10
_IN_POD: Final = {
    LEADER_ADDRESS: "$(LWS_LEADER_ADDRESS)",
    NODE_RANK: "$(LWS_WORKER_INDEX)",
    OWN_ADDRESS: "$(OWN_ADDRESS)",
}
"""Variables that a LeaderWorkerSet gives its containers; the last is defined beside its use."""


@dataclass(frozen=True)
class Front:
    """The router between prefill and decode servers."""

    words: tuple[str, ...]
    package: EngineFlags | None
    """What its image has to hold; `None`: it comes with the engine."""
    options: tuple[str, str] | None = None


def manifest(launch: ServingLaunch, commands: tuple[Command, ...], front: Front | None, image: str) -> str:
    """All objects of a deployment as one YAML text. Raises SpecError where a router has no image."""
    objects: list[Object] = []
    files = [command.options for command in commands] + [front.options if front else None]
    if data := dict(one for one in files if one is not None):
        objects.append(_object(launch, "v1", "ConfigMap", f"{launch.name}-options") | {"data": data})
    for command in commands:
        objects += _servers(launch, command, image)
    if front is not None:
        objects += _router(launch, front, image)
    return yaml.dump_all(objects, Dumper=_Written, sort_keys=False, width=120)


class _Written(yaml.SafeDumper):
    """Writes out what stands in several places."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _object(launch: ServingLaunch, version: str, kind: str, name: str) -> Object:
    meta = {"name": name, "namespace": launch.cluster.namespace, "labels": {"app.kubernetes.io/name": launch.name}}
    return {"apiVersion": version, "kind": kind, "metadata": meta}


def _labels(launch: ServingLaunch, role: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": launch.name, "app.kubernetes.io/component": role}


def _servers(launch: ServingLaunch, command: Command, image: str) -> list[Object]:
    labels = _labels(launch, command.role)
    plan = {PLAN: json.dumps(command.replicas.model_dump(mode="json", exclude_none=True), separators=(",", ":"))}
    alone = command.role == "serve"
    name = launch.name if alone else f"{launch.name}-{command.role}"
    leader = _pod(launch, command, command.words, image, labels, answers=True)
    count = command.replicas.count
    if command.nodes > 1:
        version, kind = "leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"
        follower = _pod(launch, command, command.other_words, image, labels, answers=False)
        group = {"size": command.nodes, "restartPolicy": "RecreateGroupOnPodRestart"}
        spec: Object = {
            "replicas": count,
            "leaderWorkerTemplate": group | {"leaderTemplate": leader, "workerTemplate": follower},
        }
    elif alone:
        version, kind = "apps/v1", "Deployment"
        spec = {"replicas": count, "selector": {"matchLabels": labels}, "template": leader}
    else:
        version, kind = "apps/v1", "StatefulSet"
        spec = {
            "replicas": count,
            "serviceName": name,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": leader,
        }
    servers = _object(launch, version, kind, name)
    servers["metadata"]["annotations"] = plan
    servers["spec"] = spec
    if not alone and command.nodes > 1:
        return [servers]  # a LeaderWorkerSet makes the service by which its pods have names
    answering = labels | ({"leaderworkerset.sigs.k8s.io/worker-index": "0"} if command.nodes > 1 else {})
    # Beside a set of its name, a service of the same name would be the one that LeaderWorkerSet makes.
    service = _service(launch, f"{name}-api" if command.nodes > 1 else name, answering)
    if not alone:
        service["spec"] |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return [servers, service]


def _service(launch: ServingLaunch, name: str, selector: dict[str, str]) -> Object:
    port = {"name": "http", "port": launch.server.port, "targetPort": "http"}
    return _object(launch, "v1", "Service", name) | {"spec": {"selector": selector, "ports": [port]}}


def _router(launch: ServingLaunch, front: Front, image: str) -> list[Object]:
    own = launch.cluster.router_image
    if own is None and front.package is not None:
        raise SpecError(
            f"cluster.router_image: missing; prefill and decode servers need a router, and its image has to hold the "
            f"package {front.package.engine} {front.package.release}"
        )
    labels = _labels(launch, "router")
    container = {
        "name": "router",
        "image": own or image,
        "command": list(front.words),
        "ports": [{"name": "http", "containerPort": launch.server.port}],
        "readinessProbe": _probe(3),
    }
    spec: Object = {"containers": [container]}
    if front.options is not None:
        container["volumeMounts"] = [{"name": "options", "mountPath": OPTIONS_FOLDER}]
        spec["volumes"] = [_options_volume(launch)]
    template = {"metadata": {"labels": labels}, "spec": spec}
    deployment = _object(launch, "apps/v1", "Deployment", f"{launch.name}-router")
    deployment["spec"] = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return [deployment, _service(launch, launch.name, labels)]


def _pod(
    launch: ServingLaunch,
    command: Command,
    words: tuple[str, ...],
    image: str,
    labels: dict[str, str],
    *,
    answers: bool,
) -> Object:
    cluster = launch.cluster
    wanted = {cluster.gpu_resource: str(command.gpus_per_node)} | {k: str(v) for k, v in cluster.resources.items()}
    container: Object = {
        "name": "server",
        "image": image,
        "command": [_filled(word) for word in words],
        "resources": {"requests": wanted, "limits": wanted},
        "volumeMounts": [{"name": "shared-memory", "mountPath": "/dev/shm"}],
    }
    if environment := _environment(launch, command):
        container["env"] = environment
    if answers:
        container["ports"] = [{"name": "http", "containerPort": launch.server.port}]
        container["startupProbe"] = _probe(math.ceil(cluster.start_limit / _PROBE_PERIOD_S) or 1)
        container["readinessProbe"] = _probe(3)
        container["livenessProbe"] = _probe(6)
    if command.nodes > 1 or command.role != "serve":
        # Network cards read and write memory that must not be swapped out.
        container["securityContext"] = {"capabilities": {"add": ["IPC_LOCK"]}}
    memory = {"medium": "Memory", "sizeLimit": str(int(cluster.shared_memory))}
    spec: Object = {"containers": [container], "volumes": [{"name": "shared-memory", "emptyDir": memory}]}
    if command.options is not None:
        container["volumeMounts"].append({"name": "options", "mountPath": OPTIONS_FOLDER})
        spec["volumes"].append(_options_volume(launch))
    if cluster.node_selector:
        spec["nodeSelector"] = dict(cluster.node_selector)
    return {"metadata": {"labels": labels}, "spec": spec}


def _options_volume(launch: ServingLaunch) -> Object:
    return {"name": "options", "configMap": {"name": f"{launch.name}-options"}}


def _environment(launch: ServingLaunch, command: Command) -> list[Object]:
    named = command.environment | launch.cluster.environment
    own = {"name": "OWN_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    first = [own] if any(OWN_ADDRESS in value for value in named.values()) else []
    return first + [{"name": name, "value": _filled(value)} for name, value in named.items()]


def _filled(word: str) -> str:
    for place, text in _IN_POD.items():
        word = word.replace(place, text)
    return word


def _probe(failures: int) -> Object:
    return {
        "httpGet": {"path": "/health", "port": "http"},
        "periodSeconds": _PROBE_PERIOD_S,
        "timeoutSeconds": _PROBE_PERIOD_S,
        "failureThreshold": failures,
    }

"""Kubernetes: a JobSet, with Kueue where a queue is named, or Kubeflow's TrainJob; pods run `start.sh`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import yaml

from myriad.errors import SpecError, unknown_name
from myriad.launch.files import File
from myriad.launch.training.frameworks.start import MAX_RESTARTS as MAX_RESTARTS_OF_RANKS
from myriad.launch.training.schedulers.health import CHECK_LIMIT_S, FILE, NOT_HEALTHY
from myriad.launch.training.schedulers.placement import units
from myriad.spec.training_launch import KubernetesScheduler, TrainingLaunch

Object = dict[str, Any]

FILES_FOLDER: Final = "/etc/myriad"
RUN_FOLDER: Final = "/run/myriad"
"""Where pods see the rendered files and the folder of the run."""
_PORT: Final = 29500
_ROLE: Final = "node"
LIVES_PER_START: Final = MAX_RESTARTS_OF_RANKS + 1
"""torchrun counts restarts of its own from 0 whenever it is started."""
_LARGEST_CONFIGURATION: Final = 2**20
"""Bytes of a ConfigMap."""
MAX_RESTARTS: Final = 100
"""Of all pods together, before Kubernetes gives up: ten thousand accelerators break some times a day."""
RELEASES: Final = ("0.9", "0.10", "0.11", "0.12", "0.13", "0.14")
"""Of Kueue, from the first with topology-aware scheduling on."""
SLICES_SINCE: Final = "0.13"
"""The first that keeps parts of a job under one switch each."""


def manifest(launch: TrainingLaunch, scheduler: KubernetesScheduler, others: tuple[File, ...]) -> File:
    """The manifest, in which the other files are. Raises SpecError for what it cannot express."""
    if launch.launch.image is None:
        raise SpecError(f"jobs.{launch.job}.launch.image: missing; pods need the container that the job runs in")
    if scheduler.volume_claim is None:
        raise SpecError("scheduler.volume_claim: missing; without a volume a run loses its checkpoints with its pods")
    if scheduler.kueue not in RELEASES:
        raise SpecError(f"scheduler.kueue: {unknown_name('release of Kueue', scheduler.kueue, RELEASES)}")
    for path in scheduler.volumes:
        if not path.startswith("/"):
            raise SpecError(f"scheduler.volumes: found {path!r}; expected where pods see the claim, as /data: datasets")
    size = sum(len(one.text.encode()) for one in others)
    if size > _LARGEST_CONFIGURATION:
        raise SpecError(f"the rendered files have {size:,} bytes; a ConfigMap holds {_LARGEST_CONFIGURATION:,}")
    data = _object(launch, scheduler, "v1", "ConfigMap", f"{launch.name}-files")
    data["data"] = {one.path: one.text for one in others}
    made = _train_job(launch, scheduler) if scheduler.api == "trainjob" else _job_set(launch, scheduler)
    return File("kubernetes.yaml", yaml.dump_all([data, made], Dumper=_Written, sort_keys=False, width=120))


class _Written(yaml.SafeDumper):
    """Writes out what stands in several places, and text of several lines as it is."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Written.add_representer(str, _text)


def _object(launch: TrainingLaunch, scheduler: KubernetesScheduler, version: str, kind: str, name: str) -> Object:
    meta: Object = {"name": name, "namespace": scheduler.namespace, "labels": _labels(launch)}
    return {"apiVersion": version, "kind": kind, "metadata": meta}


def _labels(launch: TrainingLaunch) -> dict[str, str]:
    return {"app.kubernetes.io/name": launch.name, "app.kubernetes.io/managed-by": "myriad"}


def _job_set(launch: TrainingLaunch, scheduler: KubernetesScheduler) -> Object:
    """One indexed Job whose pods are the nodes; without Kueue one for each group of nodes that has a leaf to itself."""
    made = _object(launch, scheduler, "jobset.x-k8s.io/v1alpha2", "JobSet", launch.name)
    if scheduler.queue is not None:
        made["metadata"]["labels"] |= {"kueue.x-k8s.io/queue-name": scheduler.queue}
    exclusive = _leaf_label(scheduler) if scheduler.queue is None else None
    group = _slice(launch) if exclusive is not None else None
    jobs, pods = (launch.nodes // group, group) if group else (1, launch.nodes)
    if group is not None:
        made["metadata"]["annotations"] = {"alpha.jobset.sigs.k8s.io/exclusive-topology": exclusive}
    start = (
        f"export NODE_RANK=$((JOB_INDEX * {pods} + JOB_COMPLETION_INDEX)) NNODES={launch.nodes}\n"
        f"export MASTER_ADDR={launch.name}-{_ROLE}-0-0.{launch.name} MASTER_PORT={_PORT}\n"
    )
    own = [_from_field("JOB_INDEX", "metadata.labels['jobset.sigs.k8s.io/job-index']"), *_OWN]
    pod = _pod(launch, scheduler, _command(start), own)
    pod["restartPolicy"] = "Never"
    template: Object = {"metadata": {"labels": _labels(launch)}, "spec": pod}
    if annotations := _topology(launch, scheduler):
        template["metadata"]["annotations"] = annotations
    unhealthy = {"containerName": _ROLE, "operator": "In", "values": [NOT_HEALTHY]}
    job = {
        "completionMode": "Indexed",
        "completions": pods,
        "parallelism": pods,
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": unhealthy}]},
        "template": template,
    }
    made["spec"] = {
        "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True, "subdomain": launch.name},
        "failurePolicy": {
            "maxRestarts": MAX_RESTARTS,
            "restartStrategy": "BlockingRecreate",
            # It is submitted again without the node.
            "rules": [
                {"name": "failedCheck", "action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]},
            ],
        },
        "successPolicy": {"operator": "All"},
        "replicatedJobs": [{"name": _ROLE, "replicas": jobs, "template": {"spec": job}}],
    }
    return made


def _train_job(launch: TrainingLaunch, scheduler: KubernetesScheduler) -> Object:
    """For Kubeflow's trainer 2.1, by its runtime for torch, to whose pods volumes are added.

    What it cannot change there, such as the capability to lock memory, is the runtime's.
    """
    if scheduler.host_network:
        raise SpecError("scheduler.host_network: a TrainJob cannot ask for it; its runtime has to")
    made = _object(launch, scheduler, "trainer.kubeflow.org/v1alpha1", "TrainJob", launch.name)
    if scheduler.queue is not None:
        made["metadata"]["labels"] |= {"kueue.x-k8s.io/queue-name": scheduler.queue}
    # torchrun would read the runtime's own variables: start.sh says everything.
    start = (
        "export NODE_RANK=$PET_NODE_RANK NNODES=$PET_NNODES MASTER_ADDR=$PET_MASTER_ADDR MASTER_PORT=$PET_MASTER_PORT\n"
        "unset ${!PET_@}\n"
    )
    pod = _pod(launch, scheduler, _command(start), _OWN)
    (container,) = pod["containers"]
    trainer = {
        "image": container["image"],
        "command": container["command"],
        "env": container["env"],  # Kubeflow refuses an override of these
        "numNodes": launch.nodes,
        "numProcPerNode": launch.gpus_per_node,
        "resourcesPerNode": container["resources"],
    }
    added = pod | {"containers": [{"name": _ROLE, "volumeMounts": container["volumeMounts"]}]}
    override: Object = {"targetJobs": [{"name": _ROLE}], "spec": added}
    if annotations := _topology(launch, scheduler):
        override["metadata"] = {"annotations": annotations}
    runtime = {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": scheduler.runtime}
    made["spec"] = {"runtimeRef": runtime, "trainer": trainer, "podTemplateOverrides": [override]}
    return made


def _command(start: str) -> str:
    return (
        f"{start}"
        f"export SLURM_RESTART_COUNT=$((${{RESTART_ATTEMPT:-0}} * {LIVES_PER_START}))\n"
        f"said=$(timeout {CHECK_LIMIT_S} sh {FILES_FOLDER}/{FILE}) || {{\n"
        '  echo "$NODE_NAME failed its check: ${said:=it did not say why}"\n'
        '  echo "$MYRIAD_SUBMISSION $NODE_NAME $said" >>"$MYRIAD_RUN_FOLDER/unhealthy.txt"\n'
        f"  exit {NOT_HEALTHY}\n"
        "}\n"
        f"exec sh {FILES_FOLDER}/start.sh\n"
    )


def _pod(launch: TrainingLaunch, scheduler: KubernetesScheduler, command: str, own: Sequence[Object]) -> Object:
    wanted = {name: str(number) for name, number in scheduler.resources.items()}
    if scheduler.gpu_resource:
        wanted = {scheduler.gpu_resource: str(launch.gpus_per_node)} | wanted
    environment = {"MYRIAD_RUN_FOLDER": RUN_FOLDER, "MYRIAD_SUBMISSION": "0"}
    memory = {"medium": "Memory", "sizeLimit": str(int(scheduler.shared_memory))}
    container: Object = {
        "name": _ROLE,
        "image": launch.launch.image,
        "command": ["bash", "-c", command],
        "env": [*own, *({"name": name, "value": value} for name, value in environment.items())],
        "resources": {"requests": wanted, "limits": wanted},
        # Network cards read and write memory that must not be swapped out.
        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
        "volumeMounts": [
            {"name": "files", "mountPath": FILES_FOLDER},
            {"name": "run", "mountPath": RUN_FOLDER, "subPath": f"{launch.launch.folder.strip('/')}/{launch.name}"},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
    }
    volumes = [
        {"name": "files", "configMap": {"name": f"{launch.name}-files"}},
        {"name": "run", "persistentVolumeClaim": {"claimName": scheduler.volume_claim}},
        {"name": "shared-memory", "emptyDir": memory},
    ]
    for i, (path, claim) in enumerate(scheduler.volumes.items()):
        container["volumeMounts"].append({"name": f"volume-{i}", "mountPath": path})
        volumes.append({"name": f"volume-{i}", "persistentVolumeClaim": {"claimName": claim}})
    if any(name.startswith("hugepages-") for name in wanted):
        container["volumeMounts"].append({"name": "huge-pages", "mountPath": "/dev/hugepages"})
        volumes.append({"name": "huge-pages", "emptyDir": {"medium": "HugePages"}})
    pod: Object = {"containers": [container], "volumes": volumes}
    if scheduler.host_network:
        pod |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    if scheduler.node_selector:
        pod["nodeSelector"] = dict(scheduler.node_selector)
    if scheduler.tolerations:
        pod["tolerations"] = [{"key": taint, "operator": "Exists"} for taint in scheduler.tolerations]
    return pod


def _from_field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


_OWN: Final = (
    _from_field("RESTART_ATTEMPT", "metadata.labels['jobset.sigs.k8s.io/restart-attempt']"),
    _from_field("NODE_NAME", "spec.nodeName"),
)
"""What pods are told of themselves."""


def _topology(launch: TrainingLaunch, scheduler: KubernetesScheduler) -> dict[str, str]:
    """What Kueue is asked: all nodes as near as can be, and whole groups of them under one switch each."""
    leaf, group = _leaf_label(scheduler), _slice(launch)
    if leaf is None or scheduler.queue is None:
        return {}
    prefix = "kueue.x-k8s.io/podset"
    asked = {f"{prefix}-preferred-topology": scheduler.topology[0]}
    if group and RELEASES.index(scheduler.kueue) >= RELEASES.index(SLICES_SINCE):
        asked |= {f"{prefix}-slice-required-topology": leaf, f"{prefix}-slice-size": str(group)}
    return asked


def _leaf_label(scheduler: KubernetesScheduler) -> str | None:
    """Of the narrowest group of nodes; a host itself is none."""
    labels = [one for one in scheduler.topology if one != "kubernetes.io/hostname"]
    return labels[-1] if labels else None


def _slice(launch: TrainingLaunch) -> int | None:
    """Nodes that shall lie under one switch, of which the job has whole groups alone."""
    return next((one for one in units(launch) if launch.nodes % one == 0), None)

"""What JobSet and TrainJob take, of the keys that are written: neither schema is in a package.

After the types of jobset.x-k8s.io/v1alpha2 (JobSet 0.8) and trainer.kubeflow.org/v1alpha1 (Kubeflow Trainer 2.1). Pods
in them are held against Kubernetes' own schemas.
"""

from __future__ import annotations

from typing import Any

import jsonschema
import kubernetes_validate

VERSION = "1.33"
_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: tuple[str, ...] = (), **keys: Any) -> dict[str, Any]:
    return {"type": "object", "properties": keys, "required": list(required), "additionalProperties": False}


_META = _object(("name", "namespace"), name=_NAME, namespace=_NAME, labels=_TEXTS, annotations=_TEXTS)
_JOB_SET = _object(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata=_META,
    spec=_object(
        ("replicatedJobs",),
        network=_object(enableDNSHostnames={"type": "boolean"}, publishNotReadyAddresses={"type": "boolean"},
                        subdomain=_NAME),
        failurePolicy=_object(
            maxRestarts=_COUNT,
            restartStrategy={"enum": ["Recreate", "BlockingRecreate"]},
            rules={"type": "array", "maxItems": 20, "items": _object(
                ("name", "action"),
                name={"type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "maxLength": 128},
                action={"enum": ["FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"]},
                onJobFailureReasons={"type": "array", "items": {"enum": [
                    "BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded",
                    "PodFailurePolicy"]}},
                targetReplicatedJobs={"type": "array", "items": _NAME},
            )},
        ),
        successPolicy=_object(("operator",), operator={"enum": ["All", "Any"]},
                              targetReplicatedJobs={"type": "array", "items": _NAME}),
        replicatedJobs={
            "type": "array", "minItems": 1,
            "items": _object(("name", "template"), name=_NAME, replicas=_COUNT, template={"type": "object"}),
        },
        suspend={"type": "boolean"},
        ttlSecondsAfterFinished=_COUNT,
    ),
)  # fmt: skip
_QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[0-9]+[A-Za-z]*$"}}
_RESOURCES = _object(requests=_QUANTITIES, limits=_QUANTITIES)
_TRAIN_JOB = _object(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "trainer.kubeflow.org/v1alpha1"},
    kind={"const": "TrainJob"},
    metadata=_META,
    spec=_object(
        ("runtimeRef",),
        runtimeRef=_object(("name",), apiGroup={"type": "string"}, kind={"type": "string"}, name=_NAME),
        suspend={"type": "boolean"},
        labels=_TEXTS,
        annotations=_TEXTS,
        trainer=_object(
            image={"type": "string"},
            command={"type": "array", "items": {"type": "string"}},
            args={"type": "array", "items": {"type": "string"}},
            env={"type": "array"},
            numNodes=_COUNT,
            numProcPerNode={"type": ["integer", "string"]},
            resourcesPerNode=_RESOURCES,
        ),
        podTemplateOverrides={
            "type": "array",
            "items": _object(
                ("targetJobs",),
                targetJobs={"type": "array", "minItems": 1, "items": _object(("name",), name=_NAME)},
                metadata=_object(labels=_TEXTS, annotations=_TEXTS),
                spec=_object(
                    serviceAccountName={"type": "string"}, nodeSelector=_TEXTS, affinity={"type": "object"},
                    tolerations={"type": "array"}, volumes={"type": "array"}, initContainers={"type": "array"},
                    # `env` is there too, but refused for the container that trains.
                    containers={"type": "array", "items": _object(
                        ("name",), name=_NAME, volumeMounts={"type": "array"})},
                    schedulingGates={"type": "array"}, imagePullSecrets={"type": "array"},
                ),
            ),
        },
    ),
)  # fmt: skip


def check(item: dict[str, Any]) -> None:
    """Raises where an object is not what Kubernetes, JobSet or Kubeflow takes."""
    if item["kind"] == "JobSet":
        jsonschema.validate(item, _JOB_SET)
        for one in item["spec"]["replicatedJobs"]:
            meta = {"name": f"{item['metadata']['name']}-{one['name']}"}
            check({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta} | one["template"])
    elif item["kind"] == "TrainJob":
        jsonschema.validate(item, _TRAIN_JOB)
        spec = item["spec"]
        for override in spec["podTemplateOverrides"]:
            (added,) = override["spec"]["containers"]
            whole = added | {"image": spec["trainer"]["image"], "command": spec["trainer"]["command"]}
            whole["env"] = spec["trainer"]["env"]
            whole["resources"] = spec["trainer"]["resourcesPerNode"]
            pod = override["spec"] | {"containers": [whole]}
            check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "node"}, "spec": pod})
    else:
        kubernetes_validate.validate(item, VERSION, strict=True)

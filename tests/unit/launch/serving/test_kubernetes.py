"""Manifests: valid by Kubernetes' own schemas, and as many accelerators as planned.

LeaderWorkerSet's schema is in no package: its own keys are held against a list here, its pods against Kubernetes'.
"""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from myriad.api import launch_files
from myriad.spec.serving_launch import ServingLaunch
from serving_deployments import launch, launches, trtllm_launches

VERSION = "1.33"
WORK = {"engine": "sglang@0.5.11", "precision": "fp8-block"}
SETS = {"Deployment", "StatefulSet", "LeaderWorkerSet"}
GROUP_KEYS = {"size", "restartPolicy", "leaderTemplate", "workerTemplate"}


def objects(one: ServingLaunch) -> list[dict[str, Any]]:
    (text,) = (file.text for file in launch_files(one) if file.path == "kubernetes.yaml")
    return list(yaml.load_all(text, yaml.CSafeLoader))


def pods(item: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """How many pods of which kind a set makes."""
    spec = item["spec"]
    if item["kind"] != "LeaderWorkerSet":
        return [(spec["replicas"], spec["template"])]
    group = spec["leaderWorkerTemplate"]
    return [
        (spec["replicas"], group["leaderTemplate"]),
        (spec["replicas"] * (group["size"] - 1), group["workerTemplate"]),
    ]


def gpus(found: list[dict[str, Any]], resource: str = "nvidia.com/gpu") -> int:
    total = 0
    for item in found:
        for count, pod in pods(item) if item["kind"] in SETS else []:
            (container,) = pod["spec"]["containers"]
            total += count * int(container.get("resources", {}).get("limits", {}).get(resource, 0))
    return total


def check(item: dict[str, Any]) -> None:
    """Raises where an object is not what Kubernetes takes."""
    if item["kind"] != "LeaderWorkerSet":
        kubernetes_validate.validate(item, VERSION, strict=True)
        return
    assert item["apiVersion"] == "leaderworkerset.x-k8s.io/v1"
    assert set(item["spec"]) == {"replicas", "leaderWorkerTemplate"}
    assert set(item["spec"]["leaderWorkerTemplate"]) == GROUP_KEYS
    for _, template in pods(item):
        spec = {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template}
        check({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": item["metadata"], "spec": spec})


@pytest.mark.parametrize("engine", ["vllm@0.18", "sglang@0.5.11", "tensorrt-llm@1.2"])
def test_manifests_hold_the_planned_accelerators(engine: str) -> None:
    found = trtllm_launches("1.2") if engine.startswith("tensorrt") else launches(engine)
    for name, one in found.items():
        made = objects(one)
        names = [(item["kind"], item["metadata"]["name"]) for item in made]
        assert len(set(names)) == len(names)
        assert gpus(made) == one.deployment.gpus, name


@pytest.mark.parametrize("name", ["qwen3-32b", "llama3.1-405b-tp16", "qwen3-32b-split", "deepseek-v3-split"])
@pytest.mark.parametrize("engine", ["vllm@0.18", "sglang@0.5.11", "tensorrt-llm@1.2"])
def test_manifests_are_valid(engine: str, name: str) -> None:
    found = trtllm_launches("1.2") if engine.startswith("tensorrt") else launches(engine)
    for item in objects(found[name]) if name in found else []:
        check(item)


def test_the_check_refuses_what_is_wrong() -> None:
    (first, *_) = objects(launch("deepseek-v3", {"tp": 8}, WORK))
    first["spec"]["template"]["spec"]["containers"][0]["imagine"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagine"):
        check(first)


def test_services_find_what_answers() -> None:
    for layout, count in (({"tp": 8}, 2), ({"dp": 16, "ep": 16}, 2)):
        servers, service = objects(launch("deepseek-v3", layout, WORK, count=count))
        (_, pod), *_ = pods(servers)
        by_group = {"leaderworkerset.sigs.k8s.io/worker-index": "0"} if servers["kind"] == "LeaderWorkerSet" else {}
        assert service["spec"]["selector"] == pod["metadata"]["labels"] | by_group
        (container,) = pod["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/health"


def test_followers_answer_nothing_and_know_their_leader() -> None:
    servers, _ = objects(launch("deepseek-v3", {"dp": 16, "ep": 16}, WORK))
    (_, leader), (_, follower) = pods(servers)
    (first,), (other,) = leader["spec"]["containers"], follower["spec"]["containers"]
    assert "readinessProbe" in first
    assert not {"readinessProbe", "startupProbe", "ports"} & set(other)
    assert "$(LWS_LEADER_ADDRESS):20000" in first["command"]
    assert "$(LWS_WORKER_INDEX)" in other["command"]


def test_what_the_cluster_says_is_in_the_pods() -> None:
    cluster = {
        "namespace": "ai", "node_selector": {"kind": "h200"}, "environment": {"HF_HOME": "/cache"}, "image": "mine:1",
        "resources": {"rdma/hca": 8}, "shared_memory": "64 GiB", "start_limit": "10 min", "gpu_resource": "amd.com/gpu",
    }  # fmt: skip
    made = objects(launch("deepseek-v3", {"tp": 8}, WORK, cluster=cluster))
    assert {item["metadata"]["namespace"] for item in made} == {"ai"}
    assert gpus(made, "amd.com/gpu") == 8
    pod = made[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["nodeSelector"] == {"kind": "h200"}
    assert container["env"] == [{"name": "HF_HOME", "value": "/cache"}]
    assert container["image"] == "mine:1"
    assert container["resources"]["limits"]["rdma/hca"] == "8"
    assert pod["volumes"][0]["emptyDir"]["sizeLimit"] == str(64 * 2**30)
    assert container["startupProbe"]["failureThreshold"] == 60


def test_vllm_tells_its_own_address_to_its_peers() -> None:
    work = {"engine": "vllm@0.18", "precision": "fp8-block"}
    made = objects(launch("deepseek-v3", {"tp": 8}, work, prefill={"tp": 8}))
    (container,) = made[0]["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == {"name": "OWN_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    assert {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "value": "$(OWN_ADDRESS)"} in container["env"]

"""Manifests: valid, as many nodes as planned, every node with a rank of its own, groups under one switch."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from kubernetes_schemas import check
from myriad.errors import SpecError
from myriad.launch.files import File
from myriad.launch.training.schedulers import scheduler_files
from scheduled import SCHEDULERS, flagship

KINDS = ("jobset-kueue", "jobset", "trainjob")
START = File("start.sh", "#!/bin/sh\nenv | sort\n")


def objects(scheduler: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    manifest, _ = scheduler_files(flagship(scheduler, **more), (START,))
    assert manifest.path == "kubernetes.yaml"
    return list(yaml.load_all(manifest.text, yaml.CSafeLoader))


@pytest.mark.parametrize("name", KINDS)
def test_manifests_are_valid(name: str) -> None:
    files, job = objects(SCHEDULERS[name])
    check(files)
    check(job)
    assert files["data"]["start.sh"] == START.text
    assert "health.sh" in files["data"]


@pytest.mark.parametrize("name", KINDS)
def test_the_check_refuses_what_is_wrong(name: str) -> None:
    _, job = objects(SCHEDULERS[name])
    job["spec"]["imagine"] = 1
    with pytest.raises(jsonschema.ValidationError, match="imagine"):
        check(job)
    _, job = objects(SCHEDULERS[name])
    if name == "trainjob":
        job["spec"]["podTemplateOverrides"][0]["spec"]["volumes"][0]["imagine"] = {}
    else:
        pod(job)["containers"][0]["imagine"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagine"):
        check(job)


def pod(job_set: dict[str, Any]) -> dict[str, Any]:
    (replicated,) = job_set["spec"]["replicatedJobs"]
    return replicated["template"]["spec"]["template"]["spec"]


def ranks(command: list[str], environments: list[dict[str, str]], tmp_path: Path) -> list[str]:
    """What the command of pods says of their nodes: number and how many, where they meet, restarts before."""
    (tmp_path / "start.sh").write_text('echo "$NODE_RANK/$NNODES $MASTER_ADDR:$MASTER_PORT $SLURM_RESTART_COUNT"\n')
    (tmp_path / "health.sh").write_text("exit 0\n")
    words = [word.replace("/etc/myriad", str(tmp_path)) for word in command]
    shown = []
    for environment in environments:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=20, check=True)
        shown.append(done.stdout.strip())
    return shown


def test_each_pod_has_a_rank_of_its_own(tmp_path: Path) -> None:
    _, job = objects(SCHEDULERS["jobset"])
    (replicated,) = job["spec"]["replicatedJobs"]
    assert (replicated["replicas"], replicated["template"]["spec"]["parallelism"]) == (25, 32)
    (container,) = pod(job)["containers"]
    assert {one["name"] for one in container["env"]} >= {"JOB_INDEX", "RESTART_ATTEMPT"}
    given = [
        {"JOB_INDEX": "0", "JOB_COMPLETION_INDEX": "0", "RESTART_ATTEMPT": "0"},
        {"JOB_INDEX": "24", "JOB_COMPLETION_INDEX": "31", "RESTART_ATTEMPT": "2"},
    ]
    place = "flagship-pretrain-node-0-0.flagship-pretrain:29500"
    # Ranks of each start count restarts of their own from 0 to 3.
    assert ranks(container["command"], given, tmp_path) == [f"0/800 {place} 0", f"799/800 {place} 8"]


def test_a_train_job_says_what_its_runtime_said(tmp_path: Path) -> None:
    _, job = objects(SCHEDULERS["trainjob"])
    given = {"PET_NODE_RANK": "7", "PET_NNODES": "800", "PET_MASTER_ADDR": "first", "PET_MASTER_PORT": "29400"}
    assert ranks(job["spec"]["trainer"]["command"], [given], tmp_path) == ["7/800 first:29400 0"]
    assert (job["spec"]["trainer"]["numNodes"], job["spec"]["trainer"]["numProcPerNode"]) == (800, 8)


def test_a_node_that_fails_its_check_starts_nothing(tmp_path: Path) -> None:
    _, job = objects(SCHEDULERS["jobset"])
    (container,) = pod(job)["containers"]
    (tmp_path / "health.sh").write_text("echo no card; exit 1\n")
    words = [word.replace("/etc/myriad", str(tmp_path)) for word in container["command"]]
    environment = {"NODE_NAME": "n7", "MYRIAD_SUBMISSION": "2", "MYRIAD_RUN_FOLDER": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (75, "n7 failed its check: no card\n")
    assert (tmp_path / "unhealthy.txt").read_text() == "2 n7 no card\n"
    # JobSet gives up, so that the job is submitted again without the node.
    (replicated,) = job["spec"]["replicatedJobs"]
    (rule,) = replicated["template"]["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [75])
    assert job["spec"]["failurePolicy"]["rules"][0]["onJobFailureReasons"] == ["PodFailurePolicy"]


def test_data_and_tainted_nodes() -> None:
    more = {"volumes": {"/data": "datasets"}, "tolerations": ["nvidia.com/gpu"]}
    for name in ("jobset", "trainjob"):
        _, job = objects(SCHEDULERS[name] | more)
        check(job)
        one = pod(job) if name == "jobset" else job["spec"]["podTemplateOverrides"][0]["spec"]
        assert {"name": "volume-0", "mountPath": "/data"} in one["containers"][0]["volumeMounts"]
        assert {"name": "volume-0", "persistentVolumeClaim": {"claimName": "datasets"}} in one["volumes"]
        assert one["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]


def test_kueue_is_asked_for_groups_under_one_switch() -> None:
    _, job = objects(SCHEDULERS["jobset-kueue"])
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "train"
    (replicated,) = job["spec"]["replicatedJobs"]
    assert replicated["template"]["spec"]["template"]["metadata"]["annotations"] == {
        "kueue.x-k8s.io/podset-preferred-topology": "example.com/pod",
        "kueue.x-k8s.io/podset-slice-required-topology": "example.com/leaf",
        "kueue.x-k8s.io/podset-slice-size": "32",
    }
    _, older = objects(SCHEDULERS["jobset-kueue"] | {"kueue": "0.12"})
    (replicated,) = older["spec"]["replicatedJobs"]
    asked = replicated["template"]["spec"]["template"]["metadata"]["annotations"]
    assert list(asked) == ["kueue.x-k8s.io/podset-preferred-topology"]


def test_accelerators_and_what_else_a_node_needs_are_asked_for() -> None:
    _, job = objects(SCHEDULERS["jobset-kueue"] | {"gpu_resource": "amd.com/gpu", "node_selector": {"kind": "h800"}})
    (container,) = pod(job)["containers"]
    assert container["resources"]["limits"] == {"amd.com/gpu": "8", "rdma/hca": "8"}
    assert pod(job)["nodeSelector"] == {"kind": "h800"}
    _, job = objects(SCHEDULERS["jobset-kueue"] | {"gpu_resource": ""}, gpus_per_node=8)
    (container,) = pod(job)["containers"]
    assert container["resources"]["limits"] == {"rdma/hca": "8"}


@pytest.mark.parametrize(
    ("scheduler", "more", "said"),
    [
        ({}, {"launch": {}}, "jobs.flagship-pretrain.launch.image: missing"),
        ({"volume_claim": None}, {}, "scheduler.volume_claim: missing"),
        ({"volumes": {"data": "datasets"}}, {}, "scheduler.volumes: found 'data'; expected where pods see"),
        ({"kueue": "0.7"}, {}, "scheduler.kueue: unknown release of Kueue '0.7'"),
        ({"api": "trainjob", "host_network": True}, {}, "scheduler.host_network: a TrainJob cannot ask for it"),
    ],
)
def test_what_cannot_be_expressed_is_refused(scheduler: dict[str, Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        objects(SCHEDULERS["jobset"] | scheduler, **more)


def test_files_that_no_configuration_holds_are_refused() -> None:
    with pytest.raises(SpecError, match="a ConfigMap holds 1,048,576"):
        scheduler_files(flagship(SCHEDULERS["jobset"]), (File("start.sh", "x" * 2**21),))

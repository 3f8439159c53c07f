"""The flagship of the example as it is planned, on any scheduler; nothing is planned for it."""

from __future__ import annotations

from typing import Any

from myriad import catalog
from myriad.spec.training_launch import TrainingLaunch

FLAGSHIP: dict[str, Any] = {"sp": False, "pp": 25, "cp": 2, "ep": 16, "dp": 128}
"""What `myriad plan examples/human-car-home.yaml` chooses: 6,400 accelerators, of which each stage fills a leaf."""

SCHEDULERS: dict[str, dict[str, Any]] = {
    "slurm": {"kind": "slurm", "partition": "train", "account": "flagship", "time_limit": "2 days"},
    "slurm-block": {"kind": "slurm", "version": "24.05", "topology": "block", "container": "pyxis"},
    "jobset-kueue": {
        "kind": "kubernetes", "queue": "train", "volume_claim": "runs", "resources": {"rdma/hca": 8},
        "topology": ["example.com/pod", "example.com/leaf", "kubernetes.io/hostname"],
    },
    "jobset": {"kind": "kubernetes", "volume_claim": "runs", "topology": ["example.com/leaf"], "host_network": True},
    "trainjob": {
        "kind": "kubernetes", "api": "trainjob", "queue": "train", "volume_claim": "runs", "namespace": "ai",
        "topology": ["example.com/leaf"], "resources": {"hugepages-2Mi": 1024},
    },
    "ray": {"kind": "ray", "address": "http://head:8265"},
    "hosts": {"kind": "hosts", "hosts": [f"node{i:03d}" for i in range(804)], "user": "train"},
}  # fmt: skip
"""Each way in which the flagship is started."""


def flagship(scheduler: dict[str, Any], **more: Any) -> TrainingLaunch:
    """The flagship on a scheduler; `more` replaces what is described."""
    values: dict[str, Any] = {
        "name": "flagship-pretrain",
        "system": "human-car-home",
        "job": "flagship-pretrain",
        "pool": "own",
        "model_id": "mimo-v2-pro",
        "model": catalog.model("mimo-v2-pro"),
        "layout": FLAGSHIP,
        "work": {"seq_len": 4096, "global_batch": 16384, "precision": "fp8", "stack": "megatron-bridge"},
        "steps": 402_332,
        "accelerator": "h800-sxm",
        "node": "hgx-h800",
        "gpus_per_node": 8,
        "nodes": 800,
        "nodes_per_group": (32, 128),
        "checkpoint_interval_s": 1800.0,
        "launch": {"image": "registry.example.com/train:1"},
        "scheduler": scheduler,
        "promise": {
            "step_s": 8.1, "tokens_per_step": 67_108_864.0, "model_flops_per_token": 2.6e11,
            "peak_flops_per_s": 1.979e15, "memory_peak_bytes": 6.9e10, "mfu": 0.17,
        },
    }  # fmt: skip
    return TrainingLaunch.model_validate(values | more)

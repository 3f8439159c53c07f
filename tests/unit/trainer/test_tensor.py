"""Tensor parallelism of latent attention and experts: every gradient, and what each rank holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_setting import columns, setting
from trainer_runs import EXPERTS, LATENT, OPTIMIZER, configuration, gradients

pytest.importorskip("torch", reason="needs the extra `train`")

from myriad.estimate.layers import model_costs
from myriad.spec.trainer import TrainerConfig

DENSE = {"kind": "dense", "width": 128}
GROUPED = {"kind": "gqa", "heads": 4, "kv_heads": 2, "head_dim": 16, "qk_norm": True}
PLAIN_LATENT = LATENT | {"q_lora_rank": None}
EVERYTHING = EXPERTS | {
    "shared_gate": True, "router_bias": True, "bias": True, "dense_width": 24, "latent_dim": 36, "groups": 4,
    "top_groups": 2,
}  # fmt: skip


def case(folder: Path, mixer: dict[str, Any], experts: dict[str, Any], clip_norm: float, **layout: Any) -> Any:
    """Two micro-batches through a dense layer and one with experts."""
    blocks = {kind: {"mixer": mixer, "feed_forward": part} for kind, part in (("d", DENSE), ("e", experts))}
    model = {"name": "cut", "hidden": 64, "vocab": 256, "blocks": blocks, "layers": [["d", 1], ["e", 1]]}
    return configuration(
        folder, model=model, layout={"tp": 2, "etp": 2, "micro_batch": 2} | layout, seq_len=16, global_batch=4,
        optimizer=OPTIMIZER | {"clip_norm": clip_norm},
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[TrainerConfig, dict[str, Any]]]:
    """One step of every case on two ranks that are started once: what each rank says of each."""
    folder = tmp_path_factory.mktemp("gradients")
    cases: dict[str, TrainerConfig] = {
        "latents": case(folder, LATENT, EXPERTS, 0.0),
        "latents, whole tokens": case(folder, LATENT, EXPERTS, 0.01, sp=False),
        "everything": case(folder, PLAIN_LATENT, EVERYTHING, 0.01),
        "one expert, whole tokens": case(folder, GROUPED, EVERYTHING | {"gated": False, "top_k": 1}, 0.0, sp=False),
        "again": case(folder, LATENT, EVERYTHING, 0.0, recompute=("moe", "mlp", "core_attn")),
    }
    return gradients(cases, folder, ranks=2)


def test_every_gradient_is_that_of_the_uncut_model(found: Any) -> None:
    for config, one in found:
        assert one["off"] < 1e-5, (config.layout, one)


def test_ranks_hold_the_parameters_that_the_estimate_counts(found: Any) -> None:
    for config, one in found:
        assert one["held"] == pytest.approx(_estimated(config), rel=0 if _without_vectors(config) else 0.01)


def _without_vectors(config: TrainerConfig) -> bool:
    """Biases and the gate of shared experts are as good as nothing to the estimate, which cuts them too."""
    return not any(part.bias or part.shared_gate for part in config.model.routed_experts())


def _estimated(config: TrainerConfig) -> float:
    """Parameters of one rank, of blocks, both ends and the final norm."""
    chosen = setting(config.model)
    costs = model_costs(
        chosen.model, columns(config.layout), chosen.work, chosen.device, chosen.stack, chosen.cluster.links
    )
    layers = [config.model.layers_by_kind().get(kind, 0) for kind in costs.kinds]
    blocks = np.asarray(layers) @ (costs.blocks.dense_parameters + costs.blocks.expert_parameters)
    ends = costs.first.dense_parameters + costs.last.dense_parameters
    return float(blocks.item() + ends.item()) + config.model.hidden

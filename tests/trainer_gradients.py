"""Run on every rank by torchrun: gradients of one step in several layouts, held against those of the uncut model.

    python -m torch.distributed.run ... tests/trainer_gradients.py CASES FOLDER

CASES is a JSON object of configurations by name. Each rank writes `FOLDER/rank-N.json`: of every case the parameters
that it holds, the largest difference of any gradient to the uncut model's, over the largest element of that, and how
often FSDP gathered and scattered in a second step.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from myriad.spec.trainer import TrainerConfig
from myriad.trainer.engine import Engine
from myriad.trainer.model import build, token_loss
from myriad.trainer.model.parts import local
from myriad.trainer.parallel import AXES, Place


def step_gradients(engine: Engine, sequences: Tensor) -> dict[str, Tensor]:
    """Whole gradients by name, as the optimizers of this rank found them."""
    found: dict[int, Tensor] = {}

    def keep(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                found[id(parameter)] = (gradient.full_tensor() if isinstance(gradient, DTensor) else gradient).clone()

    hook = register_optimizer_step_pre_hook(keep)
    engine.train_step(sequences, 1)
    hook.remove()
    return {name: found[id(p)] for part in engine.parts for name, p in part.named_parameters()}


def worst(config: TrainerConfig) -> dict[str, Any]:
    """The parameter whose gradient differs most from the uncut model's, by how much, and what else this rank saw."""
    layout = config.layout
    axes = AXES[layout.order]
    mesh = init_device_mesh("cpu", tuple(getattr(layout, axis) for axis in axes), mesh_dim_names=axes)
    place = Place(dist.get_rank(), mesh, torch.device("cpu"))
    generator = torch.Generator().manual_seed(3)
    sequences = torch.randint(config.model.vocab, (config.global_batch, config.seq_len + 1), generator=generator)
    whole = build(config.model, seed=config.seed)
    torch.autograd.backward(token_loss(whole(sequences[:, :-1]), sequences[:, 1:]))
    scale, largest = 1.0, config.optimizer.clip_norm
    if largest:
        norm = torch.nn.utils.get_total_norm([p.grad for p in whole.parameters() if p.grad is not None])
        scale = min(1.0, largest / float(norm))
    engine = Engine(config, place)
    held = sum(local(parameter).numel() for part in engine.parts for parameter in part.parameters())
    each = config.global_batch // layout.dp
    first = place.index("dp") * each
    gradients = step_gradients(engine, sequences[first : first + each])
    off = {}
    for name, gradient in gradients.items():
        expected = whole.get_parameter(name).grad
        assert expected is not None
        off[name] = float((gradient - expected * scale).abs().max() / (expected * scale).abs().max().clamp(min=1e-12))
    name = max(off, key=lambda one: off[one])
    with pytest.MonkeyPatch.context() as patch:
        gathers = counted(patch, "all_gather_into_tensor", "all_gather_single")
        scatters = counted(patch, "reduce_scatter_tensor", "reduce_scatter_single")
        engine.train_step(sequences[first : first + each], 2)
    return {"held": held, "name": name, "off": off[name], "gathers": len(gathers), "scatters": len(scatters)}


def counted(patch: pytest.MonkeyPatch, *names: str) -> list[None]:
    """One for each call from now on of a collective that has one of these names, by release of PyTorch."""
    calls: list[None] = []

    def counting(collective: Callable[..., Any]) -> Callable[..., Any]:
        def one_more(*arguments: Any, **options: Any) -> Any:
            calls.append(None)
            return collective(*arguments, **options)

        return one_more

    for name in names:
        if hasattr(dist, name):
            patch.setattr(dist, name, counting(getattr(dist, name)))
    return calls


def main() -> None:
    cases, folder = json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    dist.init_process_group("gloo")
    found = {name: worst(TrainerConfig.model_validate(values)) for name, values in cases.items()}
    (folder / f"rank-{dist.get_rank()}.json").write_text(json.dumps(found), "utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

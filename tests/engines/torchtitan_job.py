"""torchtitan itself, given a job that was rendered, in one process without a GPU. Needs torchtitan, nothing of Myriad.

    python torchtitan_job.py flags              prints the settings of its JobConfig as JSON
    python torchtitan_job.py accept < LINES     reads one path of a TOML file a line; prints for each `null`, or why its
                                                parser refuses the file
    python torchtitan_job.py build FILE         the number of parameters of the model that FILE names, on no device
    python torchtitan_job.py dry-run FILE RANKS STEPS [ARGUMENT ...]
                                                trains as rank 0 of RANKS with communication that moves nothing

What stands in, in a dry run: the CPU for the GPU; attention within a rank for that over context-parallel ranks, which
has no kernel there; shapes of tensors that other stages would send; and zeros for tokens that other ranks would send to
experts, as many as this rank sends.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
import os
import sys
import typing
from pathlib import Path


def flags():
    from torchtitan.config import JobConfig

    found = {}

    def walk(config, before):
        hints = typing.get_type_hints(config)
        for field in dataclasses.fields(config):
            hint, path = hints[field.name], f"{before}{field.name}"
            if dataclasses.is_dataclass(hint):
                walk(hint, f"{path}.")
                continue
            choices = literals(hint)
            kinds = {int: "int", float: "float"}
            found[f"--{path}"] = {"choices": sorted(choices)} if choices else (
                {"takes": kinds[hint]} if hint in kinds else {}
            )  # fmt: skip

    walk(JobConfig, "")
    release = importlib.metadata.version("torchtitan")
    return {"engine": "torchtitan", "release": release, "flags": dict(sorted(found.items()))}


def literals(hint):
    if typing.get_origin(hint) is typing.Literal:
        return {str(value) for value in typing.get_args(hint)}
    return set()


def parse(path, *more):
    from torchtitan.config import ConfigManager

    return ConfigManager().parse_args(["--job.config_file", path, *more])


def accept():
    for line in sys.stdin:
        try:
            parse(line.strip())
            said = None
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it raises is a refusal
            said = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps(said) + "\n")


def on_the_cpu():
    """torchtitan takes a GPU for granted: its first one is the CPU here."""
    import torch
    import torch._utils

    torch.cpu.set_device, torch.cpu.current_device = lambda *_: None, lambda: 0
    torch.cpu.get_device_name = lambda *_: "CPU"
    torch.cpu.get_device_properties = lambda *_: _Properties
    for name in ("reset_peak_memory_stats", "empty_cache"):
        setattr(torch.cpu, name, lambda *_: None)
    histogram = torch.histc  # of integers, which the CPU counts as floats only
    torch.histc = lambda values, **how: histogram(values.float(), **how).to(values.dtype)
    torch.cpu.memory_stats = lambda *_: {}
    torch._utils._get_available_device_type = lambda: "cpu"
    torch._utils._get_device_module = lambda _: torch.cpu


class _Properties:
    total_memory = 1


def local_attention():
    """No kernel of the CPU attends over context-parallel ranks: each attends to its own part of the sequence."""
    from torchtitan.distributed import context_parallel

    context_parallel.apply_cp_to_attention_module = lambda *_: None


def equal_tokens():
    """With no communication, what arrives is arbitrary memory: counts of tokens are taken as this rank's own."""
    import torch
    from torchtitan.distributed import expert_parallel
    from torchtitan.models.moe import utils

    utils.generate_permute_indices = functools.partial(utils.generate_permute_indices, use_cpu=True)

    def counts(tensor, output_splits, input_splits, group):
        return tensor.clone()

    class Exchange(torch.autograd.Function):
        @staticmethod
        def forward(ctx, tensor, rows):
            ctx.rows = len(tensor)
            return tensor.new_zeros(rows, *tensor.shape[1:])

        @staticmethod
        def backward(ctx, gradient):
            return gradient.new_zeros(ctx.rows, *gradient.shape[1:]), None

    def rows(tensor, output_splits, input_splits, group):
        return Exchange.apply(tensor, sum(output_splits))

    expert_parallel.all_to_all_single = counts
    expert_parallel.all_to_all_single_autograd = rows


def equal_stages():
    """What other stages say of their tensors: they are shaped as those that rank 0, the first stage, sends."""
    from torch.distributed.pipelining import stage

    sent = []

    def send(self, meta, where):
        sent.append(meta.forward_metas if isinstance(meta, stage._StageForwardMeta) else sent[0])

    def receive(self, where):
        if where < self.stage_index:
            return stage._StageForwardMeta(sent[0])
        return stage._StageBackwardMeta(sent[0])

    stage.PipelineStage._send_meta, stage.PipelineStage._recv_meta = send, receive


def build(path):
    import importlib

    import torch
    from torchtitan.protocols import train_spec

    sys.path.insert(0, str(Path(path).parent))
    config = parse(path)
    importlib.import_module(config.experimental.custom_import)
    spec = train_spec.get_train_spec(config.model.name)
    with torch.device("meta"):
        model = spec.model_cls(spec.model_args[config.model.flavor])
    sys.stdout.write(f"{sum(one.numel() for one in model.parameters())}\n")


def dry_run(path, ranks, steps, *more):
    os.environ |= {"NGPU": ranks, "LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": ranks, "OMP_NUM_THREADS": "1"}
    sys.path.insert(0, str(Path(path).parent))
    on_the_cpu()
    local_attention()
    equal_tokens()
    equal_stages()
    from torchtitan.train import Trainer

    settings = ("--comm.mode", "fake_backend", "--checkpoint.no-enable", "--optimizer.implementation", "for-loop",
                "--training.steps", steps, "--lr_scheduler.total_steps", "100")  # fmt: skip
    trainer = Trainer(parse(path, *settings, *more))
    trainer.train()
    dims = trainer.parallel_dims
    sizes = {name: dims.get_optional_mesh(name) for name in ("pp", "dp_replicate", "fsdp", "cp", "tp", "ep", "efsdp")}
    found = {name: mesh.size() for name, mesh in sizes.items() if mesh is not None}
    sys.stdout.write("\n" + json.dumps({"steps": trainer.step, "world_size": dims.world_size, "meshes": found}) + "\n")


def main():
    verb, *words = sys.argv[1:]
    if verb == "flags":
        json.dump(flags(), sys.stdout)
    else:
        {"accept": accept, "build": build, "dry-run": dry_run}[verb](*words)


if __name__ == "__main__":
    main()

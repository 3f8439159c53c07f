"""Parameters and FLOPs of the reference trainer, built from catalog models at reduced size, against the estimate's.

    python benchmarks/trainer_counts.py [MODEL ...] [--all]

Built: parameters of the modules, and FLOPs that PyTorch's counter sees in them. Counted: `estimate.parameters`, and the
operations that estimates and plans are made of. What is counted on both sides, and how masked scores are, stands in
`myriad.trainer.model.counts`. Forward FLOPs; the last column is what the counter sees in forward and backward pass over
what it sees forward: 3 by the definition of model FLOPs. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Column, Table

from myriad import catalog
from myriad.estimate.device import device
from myriad.estimate.layers import cells_of
from myriad.estimate.operations import Shop, block_operations, head_operations, prediction_operations
from myriad.estimate.parameters import model_parameters
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.model import Model
from myriad.trainer.model import build, unbuildable
from myriad.trainer.model.counts import forward_flops, num_parameters, step_flops
from myriad.trainer.model.reduced import reduced

ARCHITECTURES = (
    "llama3-8b", "qwen2.5-7b", "qwen3-8b", "gemma-2-9b", "gpt3-175b", "bloom-176b", "nemotron4-340b", "mixtral-8x7b",
    "qwen2-57b-a14b", "qwen3-235b-a22b", "llama-4-maverick-17b-128e-instruct", "deepseek-v3", "kimi-k2-instruct",
    "gpt-oss-120b", "mimo-v2-flash", "minimax-m2.5", "gemma-4-26b-a4b", "nemotron-3-nano", "qwen3.5-397b-a17b",
)  # fmt: skip
BATCH, SEQ_LEN = 2, 64
COLUMNS = ("parameters", "counted", "reduced", "counted", "its FLOPs", "counted", "step", "")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Parameters, and FLOPs of the matrix products of one forward pass: with weights, and of attention."""

    parameters: float
    products: float
    attention: float

    @property
    def flops(self) -> float:
        return self.products + self.attention


def counted(model: Model) -> Counts:
    """What the estimate counts for a batch of BATCH x SEQ_LEN tokens."""
    work = TrainingWork(seq_len=SEQ_LEN, global_batch=BATCH)
    # Any accelerator: only FLOPs are read.
    known = device(catalog.accelerator("h100-sxm"), catalog.kernels("h100-sxm")[0], "bf16")
    shop = Shop(known, catalog.stack("megatron-core"), work)
    cells = cells_of(LayoutTable.from_layouts([Layout(micro_batch=BATCH)]), work)
    blocks = {kind: block_operations(model.blocks[kind], model, cells, shop) for kind in model.block_kinds()}
    kinds = [*model.layer_kinds(), *[model.mtp_block or ""] * model.mtp_depths]
    operations = [operation for kind in kinds for operation in blocks[kind]]
    operations += head_operations(model, cells, shop) * (1 + model.mtp_depths)
    operations += prediction_operations(model, cells, shop) * model.mtp_depths

    def flops(*parts: str) -> float:
        return sum(float(np.sum(operation.forward_flops)) for operation in operations if operation.part in parts)

    return Counts(
        parameters=model_parameters(model).total_with_mtp,
        products=flops("gemm", "expert_gemm", "embedding_loss"),
        attention=flops("attention"),
    )


def built(model: Model) -> Counts:
    """The same as PyTorch's counter sees it in the modules, with the convention for masked scores."""
    decoder = build(model)
    forward, scans = forward_flops(decoder, _tokens(model))
    attention = (forward.inner - scans) / 2
    return Counts(parameters=num_parameters(decoder), products=forward.products, attention=attention)


def step_over_forward(model: Model) -> float:
    """Products with weights in forward and backward pass over those of the forward pass"""
    decoder, tokens = build(model), _tokens(model)
    return step_flops(decoder, tokens).products / forward_flops(decoder, tokens)[0].products


def _tokens(model: Model) -> torch.Tensor:
    return torch.randint(model.vocab, (BATCH, SEQ_LEN), generator=torch.Generator().manual_seed(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=ARCHITECTURES, help="names in the catalog")
    parser.add_argument("--all", action="store_true", help="every model of the catalog that can be built")
    arguments = parser.parse_args()
    names = catalog.names("models") if arguments.all else arguments.models
    table = Table("model", *(Column(text, justify="right") for text in COLUMNS))
    verdicts, lacking = [], []
    for name in names:
        whole = catalog.model(name)
        if lacks := unbuildable(whole):
            lacking.append(f"{name} is not built: {'; '.join(lacks)}")
            continue
        model = reduced(whole)
        ours, theirs, counted_whole = built(model), counted(model), model_parameters(whole).total_with_mtp
        built_whole = num_parameters(build(whole, device="meta"))
        verdicts.append(ours == theirs and built_whole == counted_whole)
        figures = (built_whole, counted_whole, ours.parameters, theirs.parameters, ours.flops, theirs.flops)
        verdict = "equal" if verdicts[-1] else "DIFFERS"
        table.add_row(name, *(f"{figure:,.0f}" for figure in figures), f"{step_over_forward(model):.6f}", verdict)
    console = Console(width=170)
    console.print(table)
    console.print("\n".join(lacking))
    console.print(f"{sum(verdicts)} of {len(verdicts)} equal to the last integer")


if __name__ == "__main__":
    main()

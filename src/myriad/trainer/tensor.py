"""Tensor parallelism: which modules of a decoder are cut how, by PyTorch's parallel styles."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Partial, Replicate, Shard, distribute_module, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    PrepareModuleInputOutput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

from myriad.spec.model import (
    Block,
    DenseFeedForward,
    GroupedQueryAttention,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)
from myriad.spec.trainer import TrainerConfig
from myriad.trainer.model import Decoder, Layer
from myriad.trainer.model.attention import GroupedQuery, MultiLatent
from myriad.trainer.model.feed_forward import RoutedExperts


def refusal(config: TrainerConfig) -> str | None:
    """Why the model cannot be cut over its tensor-parallel group; `None` if it can."""
    model, layout = config.model, config.layout
    if layout.tp == 1:
        return None
    return next(_reasons(model, layout.tp, config.seq_len if layout.sp else layout.tp), None)


def _reasons(model: Model, tp: int, seq_len: int) -> Iterator[str]:
    if model.mtp_depths:
        yield f"tp {tp}: the reference trainer does not cut prediction depths; expected 1"
    if model.learned_positions:
        yield f"tp {tp}: the reference trainer does not cut learned positions; expected 1"
    for what, size in (("vocab", model.vocab), ("seq_len", seq_len)):
        if size % tp:
            yield f"tp {tp} does not divide {what} {size}"
    for kind in model.block_kinds():
        yield from _reasons_of(kind, model.blocks[kind], tp)


def _reasons_of(kind: str, block: Block, tp: int) -> Iterator[str]:
    mixer = block.mixer
    if isinstance(mixer, GroupedQueryAttention):
        if mixer.kv_heads % tp:
            yield f"tp {tp} does not divide the {mixer.kv_heads} key heads of block {kind!r}"
    elif isinstance(mixer, MultiLatentAttention):
        if mixer.heads % tp:
            yield f"tp {tp} does not divide the {mixer.heads} heads of block {kind!r}"
    elif mixer is not None:
        yield f"tp {tp}: the reference trainer does not cut {mixer.kind} (block {kind!r}); expected 1"
    for what, width in _widths(block):
        if width % tp:
            yield f"tp {tp} does not divide {what} {width} of block {kind!r}"


def _widths(block: Block) -> tuple[tuple[str, int], ...]:
    match block.feed_forward:
        case DenseFeedForward() as part:
            return (("width", part.width),)
        case MixtureOfExperts() as part:
            return (
                ("expert_width", part.expert_width),
                ("shared_width", part.shared_width),
                ("dense_width", part.dense_width),
            )
    return ()


class _Whole(ParallelStyle):
    """Parameters that every rank has in full. Inputs may be spread in any way; so is what comes out."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        return distribute_module(module, device_mesh)


class _ByWidth(ParallelStyle):
    """Stacked matrices of experts: columns of those that go up, rows of those that come down."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        return distribute_module(module, device_mesh, self._cut)

    def _cut(self, _name: str, module: nn.Module, mesh: DeviceMesh) -> None:
        axes = {"gate": 1, "up": 1, "gate_bias": 1, "up_bias": 1, "down": 2}
        for name, parameter in list(module.named_parameters(recurse=False)):
            if name in axes:
                cut = distribute_tensor(parameter, mesh, [Shard(axes[name])], src_data_rank=self.src_data_rank)
                module.register_parameter(name, nn.Parameter(cut))


def cut(part: Decoder, mesh: DeviceMesh, sequence_parallel: bool) -> None:
    """Cuts projections over the ranks of the mesh; with `sequence_parallel` also what lies between them, by tokens."""
    between = Shard(1) if sequence_parallel else Replicate()
    ends: dict[str, ParallelStyle] = {}
    if part.first:
        ends["embedding"] = RowwiseParallel(input_layouts=Replicate(), output_layouts=between)
    if part.last:
        ends["head"] = ColwiseParallel(input_layouts=between, output_layouts=Replicate())
    styles: dict[str, ParallelStyle] = {}
    norm = SequenceParallel(use_local_output=True)
    for name, module in part.named_modules():
        if isinstance(module, Layer):
            styles |= {f"{name}.{key}": style for key, style in _layer(module, between).items()}
    if sequence_parallel:
        norms = [n for n, _ in part.named_modules() if n.endswith("norm") and ".mixer." not in n]
        styles |= dict.fromkeys(norms, norm)
    parallelize_module(part, mesh, styles | ends)
    for module in part.modules():
        if isinstance(module, GroupedQuery) and module.sinks is not None:
            module.sinks = nn.Parameter(distribute_tensor(module.sinks, mesh, [Shard(0)], src_data_rank=None))


def _layer(layer: Layer, between: Replicate | Shard) -> dict[str, ParallelStyle]:
    found: dict[str, ParallelStyle] = {}
    for part in ("mixer", "feed_forward"):
        match getattr(layer, part):
            case MultiLatent() as module:
                styles = _latent(module, between)
            case RoutedExperts() as module:
                styles = _experts(module, between)
            case None:
                continue
            case module:
                styles = _projections(module, between)
                styles[""] = PrepareModuleInput(input_layouts=(between,), desired_input_layouts=(Replicate(),))
        found |= {f"{part}.{name}".rstrip("."): style for name, style in styles.items()}
    return found


def _projections(module: nn.Module, out: Replicate | Shard | Partial) -> dict[str, ParallelStyle]:
    """Of grouped-query attention and dense units, from whole rows to rows that lie as `out` says."""
    found: dict[str, ParallelStyle] = {
        name: ColwiseParallel() for name in _present(module, "q", "k", "v", "gate", "up")
    }
    found |= {name: RowwiseParallel(output_layouts=out) for name in _present(module, "o", "down")}
    # Over the width of a head, of which each rank has others.
    norms = _present(module, "q_norm", "k_norm")
    return found | {name: SequenceParallel(sequence_dim=2, use_local_output=True) for name in norms}


def _latent(module: MultiLatent, between: Replicate | Shard) -> dict[str, ParallelStyle]:
    """Tokens are gathered as latents, which are narrower than what they are made of."""
    found: dict[str, ParallelStyle] = {
        "": PrepareModuleInput(input_layouts=(between,), desired_input_layouts=(between,)),
        "o": RowwiseParallel(output_layouts=between),
    }
    found |= {name: _Whole() for name in _present(module, "q_down", "q_norm", "kv_down", "kv_norm")}
    return found | {name: ColwiseParallel(input_layouts=between) for name in _present(module, "q", "q_up", "kv_up")}


def _experts(module: RoutedExperts, between: Replicate | Shard) -> dict[str, ParallelStyle]:
    """All of it is one sum over ranks, made at its end."""
    found: dict[str, ParallelStyle] = {
        "": PrepareModuleInputOutput(
            input_layouts=(between,),
            desired_input_layouts=(Replicate(),),
            output_layouts=(Partial(),),
            desired_output_layouts=(between,),
        ),
        "experts": _ByWidth(),
    }
    found |= {name: _Whole() for name in _present(module, "router", "latent_down", "latent_up", "shared_gate")}
    for name in _present(module, "shared", "dense"):
        unit = _projections(getattr(module, name), Partial())
        found |= {f"{name}.{key}": style for key, style in unit.items()}
    return found


def _present(module: nn.Module, *names: str) -> list[str]:
    """Those of its parts that a module has."""
    return [name for name in names if getattr(module, name, None) is not None]

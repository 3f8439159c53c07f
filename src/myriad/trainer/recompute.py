"""Activations that are forgotten in the forward pass and computed again in the backward pass."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import torch
from torch import nn
from torch.utils.checkpoint import (
    CheckpointPolicy,
    SelectiveCheckpointContext,
    checkpoint,
    create_selective_checkpoint_contexts,
)

from myriad.trainer.model import Decoder, Layer
from myriad.trainer.model.cores import AttentionCore
from myriad.trainer.model.feed_forward import DenseUnit, RoutedExperts

_MODULES: Final[dict[str, tuple[type[nn.Module], ...]]] = {
    "full": (Layer,),
    "core_attn": (AttentionCore,),
    "layernorm": (nn.RMSNorm, nn.LayerNorm),
    "mlp": (DenseUnit,),
    "moe": (RoutedExperts,),
}
EVERY_OTHER_PRODUCT: Final = "every_other_product"
KNOWN: Final = (*_MODULES, EVERY_OTHER_PRODUCT)

_ATTENTION: Final = {
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_cudnn_attention.default,
}
_PRODUCTS: Final = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default}


def recompute(part: Decoder, modules: tuple[str, ...]) -> None:
    """Makes the named modules of all layers, prediction depths included, forget what they compute.

    Modules keep their names: only what calling one does changes.
    """
    if EVERY_OTHER_PRODUCT in modules:
        for layer in (found for found in part.modules() if isinstance(found, Layer)):
            _forget(layer, context_fn=lambda: create_selective_checkpoint_contexts(_EveryOther()))
    outermost = [kinds for name, kinds in _MODULES.items() if name in modules]
    for kinds in outermost:
        for layer in (found for found in part.modules() if isinstance(found, Layer)):
            for module in layer.modules():
                if isinstance(module, kinds):
                    _forget(module)


def _forget(module: nn.Module, **options: Any) -> None:
    module.forward = partial(checkpoint, module.forward, use_reentrant=False, **options)


class _EveryOther:
    """Keeps what attention computes and every second matrix product, as torchtitan's selection by operation does."""

    def __init__(self) -> None:
        self._seen = {False: 0, True: 0}

    def __call__(self, context: SelectiveCheckpointContext, operation: Any, *_: Any, **__: Any) -> CheckpointPolicy:
        if operation in _ATTENTION:
            return CheckpointPolicy.MUST_SAVE
        if operation not in _PRODUCTS:
            return CheckpointPolicy.PREFER_RECOMPUTE
        self._seen[context.is_recompute] += 1
        kept = self._seen[context.is_recompute] % 2 == 1
        return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

"""A layer of routed experts on one rank as a serving engine runs it: products, activation, routing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.estimate.device import Device
from myriad.estimate.kernels import RESULT_BYTES, Array, grouped_gemm_s
from myriad.spec.serving_kernels import ExpertLayer


def experts_hit(tokens: npt.ArrayLike, topk: npt.ArrayLike, experts: npt.ArrayLike) -> Array:
    """Expected number of different experts that `tokens` choose, if every choice of `topk` is as likely.

    experts * (1 - (1 - topk / experts)^tokens)

    Left out: favourite experts, which make it fewer.
    """
    e = np.asarray(experts, float)
    missed = np.maximum(1.0 - np.asarray(topk, float) / e, 0.0) ** np.asarray(tokens, float)
    hit: Array = e * (1.0 - missed)
    return hit


def routed_experts_s(
    groups: npt.ArrayLike,
    chosen: npt.ArrayLike,
    routed: npt.ArrayLike,
    hidden: npt.ArrayLike,
    width: npt.ArrayLike,
    device: Device,
    layer: ExpertLayer,
    gated: bool = True,
) -> Array:
    """Time of the routed experts of one layer on one rank, in seconds, without exchange between ranks.

        T = up + down + activation + start + permute_passes * 2 chosen * hidden / bandwidth
            + token_s * routed / (1 + routed / split_tokens)

    `groups` are the rank's experts that have a token (`experts_hit`), `chosen` the pairs of token and expert that it
    works on, `routed` the tokens that enter the layer on it, `width` that of its part of an expert. `up` and `down`
    are `grouped_gemm_s`, two matrices wide where `gated`. Figures: fitted to whole layers of serving engines.
    """
    t, h, w = np.asarray(chosen, float), np.asarray(hidden, float), np.asarray(width, float)
    matrices = 2.0 if gated else 1.0
    up = grouped_gemm_s(groups, t, matrices * w, h, device)
    down = grouped_gemm_s(groups, t, h, w, device)
    passes = (matrices + 1.0) * t * w + layer.permute_passes * t * h
    routing = np.asarray(routed, float) / (1.0 + np.asarray(routed, float) / layer.split_tokens)
    time: Array = (
        up + down + RESULT_BYTES * passes / device.memory_bytes_per_s + layer.start_s + layer.token_s * routing
    )
    return time

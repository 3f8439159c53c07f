"""What one replica runs on: devices in the precisions of its parts, links, engine; and how it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from myriad.errors import MissingDataError
from myriad.estimate.device import Device
from myriad.estimate.serving_device import WEIGHT_BYTES, decode_efficiency, expert_layer, serving_device
from myriad.spec.calibration import DecodeEfficiency, Kernels
from myriad.spec.cluster import Cluster
from myriad.spec.serving import CachePrecision, Dispatch, ServingLayout, ServingPrecision, ServingWork
from myriad.spec.serving_engine import ServingEngine
from myriad.spec.serving_kernels import ExchangeKind, ExpertExchange, ExpertLayer, PeerAllReduce

Array = npt.NDArray[np.float64]

ACTIVATION_BYTES = 2.0
"""Activations travel and rest in 16 bits."""

CACHE_BYTES: dict[CachePrecision, float] = {"bf16": 2.0, "fp8": 1.0, "int4": 0.5 + 1.0 / 32}
"""Bytes of one cached element; four bits carry a scale and a zero point in 16 bits per 128."""


@dataclass(frozen=True)
class WeightBytes:
    """Bytes of one weight, by part of the model."""

    dense: float
    expert: float
    projection: float


@dataclass(frozen=True)
class Quantising:
    """Fixed time of quantising the input of one product, in seconds, by part of the model."""

    dense: float
    projection: float


@dataclass(frozen=True)
class Rates:
    """Rates of products in running engines over isolated ones, by part of the model."""

    dense: float
    expert: float
    projection: float
    plain: float
    decode: float
    """Of decode attention."""


@dataclass(frozen=True)
class Machine:
    """Devices, links and engine of one replica."""

    dense: Device
    """Feed-forward parts that every token meets."""
    expert: Device
    """Routed experts."""
    projection: Device
    """Products around attention."""
    plain: Device
    """Head, router and element-wise work, in 16 bits."""
    decode: DecodeEfficiency
    latent_decode: DecodeEfficiency
    cache_bytes: float
    """Of one cached element."""
    weight_bytes: WeightBytes
    rates: Rates
    """The engine's share among them."""
    quantise_s: Quantising
    cluster: Cluster
    engine: ServingEngine
    dispatch: Dispatch
    expert_layer: ExpertLayer
    """What routed experts take beside their products."""
    all_reduce: PeerAllReduce
    exchange: dict[ExchangeKind, ExpertExchange]
    """Kernels that take tokens to their experts and back, by kind."""
    imbalance: float
    """Tokens of the busiest expert rank over the mean."""
    two_batches: bool = False
    """Whether iterations run as two halves that hide each other's exchange with experts."""


def machine(
    cluster: Cluster, kernels: Kernels, kernels_id: str, engine: ServingEngine, work: ServingWork, calibrated: bool
) -> Machine:
    """The machine that runs `work` on the accelerators of `cluster`; `kernels_id` is the name of the kernels entry.

    Raises MissingDataError where the accelerator or its kernels lack a precision.
    """

    def bound(precision: ServingPrecision) -> Device:
        return serving_device(cluster.accelerator, kernels, precision, work.kv_precision, calibrated)

    expert = work.expert_precision or work.precision
    projection = work.attention_precision or work.precision
    plain: ServingPrecision = "bf16" if cluster.accelerator.bf16_flops_per_s is not None else "fp16"
    if kernels.serving is None:
        raise MissingDataError(f"the kernels of {cluster.accelerator.name} have no serving figures; add serving")
    if (work.dispatch or engine.dispatch) == "all-to-all" and not kernels.serving.exchange:
        raise MissingDataError(
            f"the kernels of {cluster.accelerator.name} have no all-to-all exchange with experts; set dispatch: gather"
        )
    share, of_experts = kernels.serving.gemm_share, kernels.serving.expert_share
    rates = Rates(
        dense=engine.gemm_share * share.get(work.precision, 1.0),
        expert=engine.expert_share * of_experts.get(expert, 1.0),
        projection=engine.gemm_share * share.get(projection, 1.0),
        plain=engine.gemm_share * share.get(plain, 1.0),
        decode=kernels.serving.decode_share * engine.decode_share * engine.decode_on.get(kernels_id, 1.0),
    )
    quantising = engine.quantise_s.get(kernels_id, {})
    return Machine(
        dense=bound(work.precision),
        expert=bound(expert),
        projection=bound(projection),
        plain=bound(plain),
        decode=decode_efficiency(kernels, work.kv_precision, latent=False),
        latent_decode=decode_efficiency(kernels, work.kv_precision, latent=True),
        cache_bytes=CACHE_BYTES[work.kv_precision],
        weight_bytes=WeightBytes(WEIGHT_BYTES[work.precision], WEIGHT_BYTES[expert], WEIGHT_BYTES[projection]),
        rates=rates,
        quantise_s=Quantising(
            dense=quantising.get(work.precision, kernels.launch_s),
            projection=quantising.get(projection, kernels.launch_s),
        ),
        cluster=cluster,
        engine=engine,
        dispatch=work.dispatch or engine.dispatch,
        expert_layer=expert_layer(kernels, expert),
        all_reduce=kernels.serving.all_reduce,
        exchange=kernels.serving.exchange,
        imbalance=work.expert_imbalance,
        two_batches=work.two_batches,
    )


@dataclass(frozen=True)
class Cut:
    """How replicas are cut, as float columns of equal length U; see `spec.serving.ServingLayout`."""

    tp: Array
    pp: Array
    dp: Array
    ep: Array

    @property
    def moe_tp(self) -> Array:
        """Ways that each expert is cut."""
        return self.tp * self.dp / self.ep

    @property
    def gpus(self) -> Array:
        """Accelerators of one replica."""
        return self.tp * self.pp * self.dp

    def take(self, index: npt.NDArray[np.int64]) -> Cut:
        return Cut(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def of(layouts: Sequence[ServingLayout]) -> Cut:
        """The columns of the given layouts."""
        return Cut(**{f.name: np.array([getattr(layout, f.name) for layout in layouts], float) for f in fields(Cut)})

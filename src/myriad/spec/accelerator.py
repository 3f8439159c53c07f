"""The accelerator: what its maker promises. Nothing here is fitted; see `spec.calibration` for that."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Bytes, BytesPerS, Count, FlopsPerS, Spec, Watts

AcceleratorClass = Literal["datacentre", "workstation", "vehicle", "edge", "phone", "computer"]


class Accelerator(Spec):
    """One accelerator as its datasheet states it. A missing figure is `None`; it is never guessed."""

    name: str
    """Display name, for example `NVIDIA H100 SXM 80GB`."""
    vendor: str
    accelerator_class: AcceleratorClass
    year: int | None = None
    fp32_flops_per_s: FlopsPerS | None = None
    tf32_flops_per_s: FlopsPerS | None = None
    bf16_flops_per_s: FlopsPerS | None = None
    """Dense matrix rate in bf16 (fp16 runs at the same rate unless `fp16_flops_per_s` is given)."""
    fp16_flops_per_s: FlopsPerS | None = None
    fp8_flops_per_s: FlopsPerS | None = None
    fp6_flops_per_s: FlopsPerS | None = None
    fp4_flops_per_s: FlopsPerS | None = None
    int8_ops_per_s: FlopsPerS | None = None
    memory_bytes: Bytes | None = None
    usable_memory_bytes: Bytes | None = None
    """What the driver reports as total where that is known: NVIDIA's GB of memory are closer to GiB."""
    memory_bytes_per_s: BytesPerS | None = None
    scale_up_bytes_per_s_one_way: BytesPerS | None = None
    """Scale-up link bandwidth of one accelerator (NVLink, UB, ICI), one way."""
    scale_up_domain: Count | None = None
    """Accelerators in one scale-up domain."""
    host_link_bytes_per_s_one_way: BytesPerS | None = None
    """Link to host memory (PCIe, NVLink-C2C), one way; offloading needs it."""
    tdp_watts: Watts | None = None
    num_sms: Count | None = None
    """Streaming multiprocessors (or the equivalent): sets how matrix tiles fill the chip in waves."""
    default_node: str | None = None
    """Catalog node that `--cluster NAME:COUNT` uses for this accelerator."""

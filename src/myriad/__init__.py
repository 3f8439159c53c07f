"""Myriad plans, proves and runs AI systems of ten thousand accelerators and the devices that they serve."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from myriad.api import best_split as best_split
    from myriad.api import device_or_cloud as device_or_cloud
    from myriad.api import device_speeds as device_speeds
    from myriad.api import estimate_serving as estimate_serving
    from myriad.api import estimate_training as estimate_training
    from myriad.api import explain_plan as explain_plan
    from myriad.api import explain_row as explain_row
    from myriad.api import explain_training as explain_training
    from myriad.api import import_model as import_model
    from myriad.api import launch_files as launch_files
    from myriad.api import mix_training as mix_training
    from myriad.api import operations_of as operations_of
    from myriad.api import search_serving as search_serving
    from myriad.api import search_training as search_training
    from myriad.api import timeline_of as timeline_of
    from myriad.api import timeline_of_plan as timeline_of_plan
    from myriad.api import validate_device as validate_device
    from myriad.api import validate_interconnect as validate_interconnect
    from myriad.api import validate_ranking as validate_ranking
    from myriad.api import validate_serving as validate_serving
    from myriad.api import validate_training as validate_training
    from myriad.api.plan import plan as plan
    from myriad.api.simulate import simulate as simulate
    from myriad.api.sweep import sweep as sweep

__version__ = "0.1.0"

__all__ = [
    "__version__", "best_split", "device_or_cloud", "device_speeds", "estimate_serving", "estimate_training",
    "explain_plan", "explain_row", "explain_training", "import_model", "launch_files", "mix_training", "operations_of",
    "plan", "search_serving", "search_training", "simulate", "sweep", "timeline_of", "timeline_of_plan",
    "validate_device", "validate_interconnect", "validate_ranking", "validate_serving", "validate_training",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The verbs, loaded on first use: `import myriad` alone stays light."""
    if name in __all__:
        return getattr(import_module("myriad.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

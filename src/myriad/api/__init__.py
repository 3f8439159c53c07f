"""The verbs: estimate, search, plan, validate. Everything below is composed here and nowhere else."""

from __future__ import annotations

from myriad.api.plan import plan
from myriad.api.training import estimate_training, operations_of, search_training
from myriad.api.validate import validate_training

__all__ = ["estimate_training", "operations_of", "plan", "search_training", "validate_training"]

"""The verbs: estimate, search, sweep, plan, validate, the catalog. All below is composed here and nowhere else."""

from __future__ import annotations

from myriad.api.catalog import entry_of, import_model, list_entries, model_entry_text, parameters_of, search_entries
from myriad.api.explain import explain_plan, explain_row, explain_training
from myriad.api.launch_serving import launch_files
from myriad.api.mixed import mix_training
from myriad.api.plan import plan
from myriad.api.search import search_training
from myriad.api.simulate_serving import fleet_of, simulate_serving
from myriad.api.split import best_split
from myriad.api.step_timeline import shortened
from myriad.api.sweep import sweep
from myriad.api.timeline import timeline_of, timeline_of_plan
from myriad.api.training import estimate_training, operations_of
from myriad.api.validate import validate_ranking, validate_serving, validate_training

__all__ = [
    "best_split",
    "entry_of",
    "estimate_training",
    "explain_plan",
    "explain_row",
    "explain_training",
    "fleet_of",
    "import_model",
    "launch_files",
    "list_entries",
    "mix_training",
    "model_entry_text",
    "operations_of",
    "parameters_of",
    "plan",
    "search_entries",
    "search_training",
    "shortened",
    "simulate_serving",
    "sweep",
    "timeline_of",
    "timeline_of_plan",
    "validate_ranking",
    "validate_serving",
    "validate_training",
]  # fmt: skip

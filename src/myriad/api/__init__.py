"""The verbs: estimate, search, sweep, plan, validate, the catalog. All below is composed here and nowhere else."""

from __future__ import annotations

from myriad.api.bill import bill_of, prices_of, rules_of
from myriad.api.calibrate_run import calibrate_from_run
from myriad.api.catalog import entry_of, import_model, list_entries, model_entry_text, parameters_of, search_entries
from myriad.api.device import device_speeds
from myriad.api.explain import explain_plan, explain_row, explain_training
from myriad.api.fabric import (
    compare_fabrics,
    describe_fabric,
    fabric_bill,
    fabric_of,
    hosts_of,
    network_of,
    switches_of,
)
from myriad.api.fabric_drawing import draw_fabric
from myriad.api.fabric_step import fabric_studies, step_on_fabric
from myriad.api.fabric_traffic import simulate_collective, with_traffic
from myriad.api.goodput import goodput
from myriad.api.job_mixes import compare_drawn, drawn_jobs, fit_mix, job_mix, scale_of
from myriad.api.jobs import simulate_job_mix
from myriad.api.judge_reliability import validate_reliability
from myriad.api.launch_serving import launch_files, launch_of
from myriad.api.measure import check_measured_name, measure
from myriad.api.mixed import mix_training
from myriad.api.plan import plan
from myriad.api.reliability import fit_reliability, reliability_entry_text, show_reliability
from myriad.api.search import search_training
from myriad.api.serving import estimate_serving
from myriad.api.serving_price import price_check
from myriad.api.serving_search import check_deployment, search_serving
from myriad.api.simulate import Simulation, simulate
from myriad.api.simulate_serving import fleet_of, simulate_serving
from myriad.api.split import best_split
from myriad.api.step_timeline import shortened
from myriad.api.sweep import sweep
from myriad.api.timeline import timeline_of, timeline_of_plan
from myriad.api.training import estimate_training, operations_of
from myriad.api.training_launch import launched_kind, training_files, training_launch
from myriad.api.validate import (
    validate_device,
    validate_interconnect,
    validate_ranking,
    validate_serving,
    validate_training,
)
from myriad.estimate.device_or_cloud import device_or_cloud

__all__ = [
    "Simulation", "best_split", "bill_of", "calibrate_from_run", "check_deployment", "check_measured_name",
    "compare_drawn", "compare_fabrics", "describe_fabric", "device_or_cloud", "device_speeds", "draw_fabric",
    "drawn_jobs", "entry_of", "estimate_serving", "estimate_training", "explain_plan", "explain_row",
    "explain_training", "fabric_bill", "fabric_of", "fabric_studies", "fit_mix", "fit_reliability", "fleet_of",
    "goodput", "hosts_of", "import_model", "job_mix", "launch_files", "launch_of", "launched_kind", "list_entries",
    "measure", "mix_training", "model_entry_text", "network_of", "operations_of", "parameters_of", "plan",
    "price_check", "prices_of", "reliability_entry_text", "rules_of", "scale_of", "search_entries",
    "search_serving", "search_training", "shortened", "show_reliability", "simulate", "simulate_collective",
    "simulate_job_mix", "simulate_serving", "step_on_fabric", "sweep", "switches_of", "timeline_of",
    "timeline_of_plan", "training_files", "training_launch", "validate_device", "validate_interconnect",
    "validate_ranking", "validate_reliability", "validate_serving", "validate_training", "with_traffic",
]  # fmt: skip

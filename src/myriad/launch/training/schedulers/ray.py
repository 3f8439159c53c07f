"""Ray: what its job server is asked; the driver that it runs starts `start.sh` on every node."""

from __future__ import annotations

import shlex
from typing import Final

from myriad.errors import SpecError
from myriad.launch.files import File
from myriad.spec.training_launch import RayScheduler, TrainingLaunch

DRIVER: Final = "ray_driver.py"
"""Beside the rendered files; reads `launch.json` in the folder of the run."""
KEEPER: Final = "ray_keeper.py"
"""Beside it; what it runs on every node."""


def submission(launch: TrainingLaunch, scheduler: RayScheduler) -> File:
    """`ray-job.sh`, which submits the job by hand. Raises SpecError for an address that is no job server's."""
    address = scheduler.address
    if address is not None and not address.startswith(("http://", "https://")):
        raise SpecError(f"scheduler.address: found {address!r}; jobs go to Ray's job server, as http://HEAD:8265")
    needs = f"{launch.gpus_per_node} {scheduler.resource or 'CPU'}"
    named = "" if address is None else f" --address {shlex.quote(address)}"
    text = f"""\
#!/bin/sh
# {launch.name}: {launch.model_id} on {launch.nodes:,} x {launch.gpus_per_node} {launch.accelerator}, through Ray's job
# server. Written by myriad launch. By hand: run `files/ray-job.sh` in the folder of the run, which all nodes see.
# The driver reserves a bundle of {needs} on each of {launch.nodes:,} nodes (STRICT_SPREAD) and runs start.sh there.
set -eu

: "${{MYRIAD_RUN_FOLDER:=$PWD}}" "${{MYRIAD_SUBMISSION:=0}}"
variables=$(printf '{{"env_vars": {{"MYRIAD_RUN_FOLDER": "%s", "MYRIAD_SUBMISSION": "%s"}}}}' \
  "$MYRIAD_RUN_FOLDER" "$MYRIAD_SUBMISSION")
[ -e "$MYRIAD_RUN_FOLDER/launch.json" ] || cp "$(dirname "$0")/launch.json" "$MYRIAD_RUN_FOLDER"
exec ray job submit{named} --no-wait --submission-id "$(printf '{launch.name}-%03d' "$MYRIAD_SUBMISSION")" \
  --runtime-env-json "$variables" -- python3 "$MYRIAD_RUN_FOLDER/files/{DRIVER}"
"""
    return File("ray-job.sh", text)

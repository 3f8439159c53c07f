"""Runs one function over many points, on the cores of this machine or on a Ray cluster, and keeps what is finished.

A function and its points go to other processes by pickle, so the function stands at the top of a module. It
turns what a user may get wrong into a result of its own; an exception that it raises ends the run.
"""

from __future__ import annotations

from myriad.engine.journal import Journal
from myriad.engine.run import Engine, Local, Ray, run_points

__all__ = ["Engine", "Journal", "Local", "Ray", "run_points"]

"""Deployments of serving engines, as server arguments and Kubernetes manifests."""

from __future__ import annotations

from myriad.launch.serving.commands import Command
from myriad.launch.serving.render import Flags, commands_of, render

__all__ = ["Command", "Flags", "commands_of", "render"]

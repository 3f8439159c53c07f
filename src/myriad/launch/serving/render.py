"""A deployment and what it needs to be started -> the files that start it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from types import ModuleType
from typing import Final

from myriad.errors import SpecError, unknown_name
from myriad.launch.files import File
from myriad.launch.serving import sglang, tensorrt_llm, vllm
from myriad.launch.serving.commands import (
    LEADER_ADDRESS,
    NODE_RANK,
    OPTIONS_FOLDER,
    OWN_ADDRESS,
    Command,
    parts_of,
)
from myriad.launch.serving.kubernetes import Front, manifest
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.serving_launch import ServingLaunch

Flags = Callable[[str, str], EngineFlags]
"""Finds what a release of an engine knows: by its name, and its release or nothing."""

_ENGINES: Final[dict[str, ModuleType]] = {"vllm": vllm, "sglang": sglang, "tensorrt-llm": tensorrt_llm}
_IMAGES: Final = {
    "vllm": "vllm/vllm-openai:v{release}",
    "sglang": "lmsysorg/sglang:v{release}",
    "tensorrt-llm": "nvcr.io/nvidia/tensorrt-llm/release:{release}",
}
"""Where the makers of each engine publish its images."""


def render(launch: ServingLaunch, flags: Flags, experts: bool) -> tuple[File, ...]:
    """The files that start a deployment: a script for each kind of server, its options, and a Kubernetes manifest.

    `experts` says whether the model routes tokens to experts. Raises SpecError for what the engine's release does not
    know, or cannot be asked for. Writes nothing.
    """
    commands = commands_of(launch, flags, experts)
    front = front_of(launch, flags, commands)
    known = _flags_of(launch, flags)
    image = launch.cluster.image or _IMAGES[known.engine].format(release=known.release)
    options = [command.options for command in commands] + [front.options if front else None]
    return (
        *(File(f"{command.role}.sh", _script(launch, command, known)) for command in commands),
        *([File("route.sh", _header(launch, "router") + _line(front.words) + "\n")] if front else []),
        *(File(*one) for one in options if one is not None),
        File("kubernetes.yaml", manifest(launch, commands, front, image)),
    )


def commands_of(launch: ServingLaunch, flags: Flags, experts: bool) -> tuple[Command, ...]:
    """What starts each kind of replica, in the order that requests meet them."""
    known = _flags_of(launch, flags)
    engine = _ENGINES[known.engine]
    return tuple(
        engine.command(launch, role, replicas, known, experts) for role, replicas in parts_of(launch.deployment)
    )


def front_of(launch: ServingLaunch, flags: Flags, commands: tuple[Command, ...]) -> Front | None:
    """The router between prefill and decode servers; `None` where each server does both."""
    if not launch.deployment.disaggregated:
        return None
    known = _flags_of(launch, flags)
    prefill, decode = (_servers(launch, command) for command in commands)
    if known.engine == "tensorrt-llm":
        return Front(tensorrt_llm.router(), None, tensorrt_llm.router_options(launch, prefill, decode))
    engine = _ENGINES[known.engine]
    router = flags(engine.ROUTER, "")
    urls = ([f"http://{server}" for server in servers] for servers in (prefill, decode))
    return Front(engine.router(launch, router, *urls), router)


def _servers(launch: ServingLaunch, command: Command) -> list[str]:
    """Name and port of each replica's first node, by which the others of the namespace reach it."""
    group = f"{launch.name}-{command.role}"
    return [f"{group}-{index}.{group}:{launch.server.port}" for index in range(command.replicas.count)]


def _flags_of(launch: ServingLaunch, flags: Flags) -> EngineFlags:
    work = launch.deployment.replicas.work
    found = flags(work.software, work.release)
    if found.engine not in _ENGINES:  # a router, whose flags are known too
        raise SpecError(unknown_name("serving engine", work.software, _ENGINES))
    return found


def _header(launch: ServingLaunch, what: str) -> str:
    deployment = launch.deployment
    return (
        f"#!/bin/sh\n# {launch.name}: {deployment.model} on {deployment.accelerator}, {what}. "
        "Written by myriad launch.\n"
        "set -eu\n"
    )


def _script(launch: ServingLaunch, command: Command, flags: EngineFlags) -> str:
    replicas = command.replicas
    what = f"{command.role}: {flags.name}, {replicas.layout.text()}, planned in {replicas.work.precision}"
    lines = [_header(launch, what)]
    lines += [f"export {name}={_word(value)}\n" for name, value in command.environment.items()]
    if not command.other_words:
        return "".join([*lines, _line(command.words), "\n"])
    lines.append(
        f"# Once on each of {command.nodes} nodes: NODE_RANK counts them from 0, LEADER_ADDRESS is the first.\n"
    )
    lines.append(f'if [ "${{NODE_RANK:?}}" = 0 ]; then\n{_line(command.words)}\nfi\n')
    return "".join([*lines, _line(command.other_words), "\n"])


def _line(words: tuple[str, ...]) -> str:
    """The command for a shell, one argument a line."""
    rows: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--") and rows[0]:
            rows.append([])
        rows[-1].append(_word(word))
    return "exec " + " \\\n  ".join(" ".join(row) for row in rows)


_IN_SHELL: Final = {
    LEADER_ADDRESS: "${LEADER_ADDRESS:?}",
    NODE_RANK: "${NODE_RANK:?}",
    OWN_ADDRESS: "$(hostname -i)",
    OPTIONS_FOLDER: '$(dirname "$0")',
}


def _word(word: str) -> str:
    for place, text in _IN_SHELL.items():
        if place in word:
            return f'"{word.replace(place, text)}"'
    return shlex.quote(word)

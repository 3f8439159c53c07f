"""`start.sh`: what one node runs, whatever the framework and whichever scheduler starts it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from myriad.spec.training_launch import TrainingLaunch

HERE: Final = "{HERE}"
"""In a word of a command: the folder of the rendered files."""
MAX_RESTARTS: Final = 3
"""Restarts of ranks in place, within one submission: a crash of the software needs more than that looked at."""

_NETWORK: Final = {
    # 22: 4.096 us * 2^22 = 17 s. NCCL's 20 gives up on links that flap for longer than 4 s.
    "NCCL_IB_TIMEOUT": "22",
    "NCCL_DEBUG": "WARN",
    # What every rank waited for is written when a collective hangs.
    "TORCH_NCCL_TRACE_BUFFER_SIZE": "20000",
    "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    "OMP_NUM_THREADS": "8",
}
_ALWAYS: Final = {
    # Agents that did not fail do not count a restart: in a store of theirs, ranks of two nodes would look for each
    # other under the names of different attempts. A new store for each attempt has no such names.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Start:
    """What torchrun runs on each rank."""

    words: tuple[str, ...]
    """Script, or `-m` and a module, with its arguments; `HERE` stands for the folder of the rendered files."""
    environment: Mapping[str, str] = field(default_factory=dict)
    shown_rank: int | None = None
    """The only rank whose output is shown; all go to files of their own then. `None`: all show theirs."""
    modules: bool = False
    """Whether Python modules lie among the rendered files."""
    elastic: bool = False
    """Whether it trains on fewer nodes too."""
    notes: tuple[str, ...] = ()
    """Where what is trained is not exactly what is described."""


def start_script(launch: TrainingLaunch, framework: str, start: Start) -> str:
    """The script, for a POSIX shell.

    A node learns from its environment NODE_RANK, NNODES, MASTER_ADDR, MASTER_PORT, MYRIAD_SUBMISSION and
    MYRIAD_RUN_FOLDER; MYRIAD_PYTHON and MYRIAD_MAX_RESTARTS may be set.
    """
    environment = _environment(launch) | dict(start.environment) | launch.launch.environment
    return "".join(
        [
            _header(launch, framework, start),
            "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()),
            _MODULES if start.modules else "",
            _GIVES_WAY,
            _RENDEZVOUS,
            _affinity(launch),
            _output(launch, start),
            _torchrun(launch),
            _lines(start.words),
        ]
    )


def _environment(launch: TrainingLaunch) -> dict[str, str]:
    if launch.device == "cpu":
        return _ALWAYS | {"OMP_NUM_THREADS": "1"}
    # PyTorch multiplies fp32 in fp32 unless told otherwise, and images of NVIDIA tell it otherwise.
    tf32 = {"fp32": "0", "tf32": "1"}.get(launch.work.precision)
    return _ALWAYS | _NETWORK | ({} if tf32 is None else {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": tf32})


def _header(launch: TrainingLaunch, framework: str, start: Start) -> str:
    layout = launch.layout
    notes = "".join(f"# Note: {note}\n" for note in start.notes)
    return f"""#!/bin/sh
# {launch.name}: {launch.model_id} with {framework} on {launch.nodes} x {launch.gpus_per_node} {launch.accelerator},
# {layout.text()}, rank order {layout.order}. Written by myriad launch.
{notes}set -eu

: "${{NODE_RANK:?}}" "${{NNODES:?}}" "${{MASTER_ADDR:?}}" "${{MASTER_PORT:?}}" "${{MYRIAD_SUBMISSION:?}}"
if [ "$NNODES" {"-gt" if start.elastic else "-ne"} {launch.nodes} ]; then
  echo "start.sh: NNODES is $NNODES, this layout needs {launch.nodes}" >&2
  exit 2
fi
HERE=$(cd "$(dirname "$0")" && pwd)
cd "${{MYRIAD_RUN_FOLDER:?}}"
"""


_MODULES: Final = 'export PYTHONPATH="$HERE${PYTHONPATH:+:$PYTHONPATH}"\n'
_GIVES_WAY: Final = """
# A scheduler that takes this node for dead starts its part elsewhere, while the ranks here may train on. Whoever starts
# writes so into a file, and ends, as if asked to, when another has written there.
part="$(uname -n) $$ $(date +%s)"
if mkdir -p nodes logs && echo "$part" >"nodes/$NODE_RANK"; then
  (while sleep 5 && kill -0 $$; do
    newest=$(cat "nodes/$NODE_RANK") || continue
    [ -n "$newest" ] && [ "$newest" != "$part" ] || continue
    echo "$part: ended, $newest runs node $NODE_RANK now" >>logs/taken-over.txt || :
    kill $$
    exit
  done) </dev/null >/dev/null 2>&1 &
fi
"""
_RENDEZVOUS: Final = """
# This rendezvous numbers nodes by their address as text. That of the first is the one that ranks meet at; the others
# need none, and get a name that keeps NODE_RANK's order, which the layout counts on: '~' sorts behind all addresses.
if [ "$NODE_RANK" -eq 0 ]; then
  set -- --local-addr "$MASTER_ADDR" --rdzv-conf is_host=1
else
  set -- --local-addr "$(printf '~%06d' "$NODE_RANK")" --rdzv-conf is_host=0
fi
"""


def _affinity(launch: TrainingLaunch) -> str:
    if launch.device == "cpu":
        return ""
    return """# Ranks run on the processors beside their accelerator, where this PyTorch can see to it (2.9 on).
if "${MYRIAD_PYTHON:-python3}" -c 'import torch.numa.binding' 2>/dev/null; then
  set -- "$@" --numa-binding node
fi
"""


def _output(launch: TrainingLaunch, start: Start) -> str:
    if start.shown_rank is None:
        return ""
    node, local = divmod(start.shown_rank, launch.gpus_per_node)
    return f"""# Every rank prints every step: all write to files of their own, and rank {start.shown_rank} is shown.
set -- "$@" --role rank --log-dir "logs/ranks/$MYRIAD_SUBMISSION/$NODE_RANK"
if [ "$NODE_RANK" -eq {node} ]; then
  set -- "$@" --tee 3 --local-ranks-filter {local}
else
  set -- "$@" --redirects 3
fi
"""


def _torchrun(launch: TrainingLaunch) -> str:
    return f"""
exec "${{MYRIAD_PYTHON:-python3}}" -m torch.distributed.run \\
  --nnodes "$NNODES" --nproc-per-node {launch.gpus_per_node} \\
  --rdzv-backend c10d --rdzv-endpoint "$MASTER_ADDR:$MASTER_PORT" --rdzv-id "{launch.name}-$MYRIAD_SUBMISSION" \\
  --max-restarts "${{MYRIAD_MAX_RESTARTS:-{MAX_RESTARTS}}}" "$@" \\
  """


def _lines(words: tuple[str, ...]) -> str:
    """The words for a shell, a line for each flag."""
    rows: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--") and rows[0]:
            rows.append([])
        rows[-1].append(_word(word))
    return " \\\n  ".join(" ".join(row) for row in rows) + "\n"


def _word(word: str) -> str:
    if word.startswith(HERE):
        rest = word.removeprefix(HERE)
        return '"$HERE"' + (shlex.quote(rest) if rest else "")
    return shlex.quote(word)

"""Machines reached by ssh: a script that starts `start.sh` on each, and ends all when one fails."""

from __future__ import annotations

import re
import shlex
from typing import Final

from myriad.errors import SpecError
from myriad.launch.files import File
from myriad.launch.training.schedulers.health import CHECK_LIMIT_S
from myriad.spec.training_launch import HostsScheduler, TrainingLaunch

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?")


def script(launch: TrainingLaunch, scheduler: HostsScheduler) -> File:
    """`hosts.sh`. Raises SpecError where there are too few hosts, or what is no name of one."""
    hosts = scheduler.hosts
    if len(hosts) < launch.nodes:
        raise SpecError(f"scheduler.hosts: {launch.job} needs {launch.nodes:,}, found {len(hosts)}")
    if len(set(hosts)) < len(hosts):
        raise SpecError("scheduler.hosts: give each once")
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise SpecError(f"scheduler.hosts: {host!r} is no name of a host")
    return File("hosts.sh", _script(launch, scheduler))


def _script(launch: TrainingLaunch, scheduler: HostsScheduler) -> str:
    login = "" if scheduler.user is None else f"-l {shlex.quote(scheduler.user)} "
    return f"""\
#!/bin/bash
# {launch.name}: {launch.model_id} on {launch.nodes:,} x {launch.gpus_per_node} {launch.accelerator}, over ssh.
# Written by myriad launch. By hand: run `files/hosts.sh` in the folder of the run, which all hosts see.
set -u

nodes={launch.nodes}
hosts=({" ".join(scheduler.hosts)})
: "${{MYRIAD_RUN_FOLDER:=$PWD}}" "${{MYRIAD_SUBMISSION:=0}}" "${{MASTER_PORT:={scheduler.port}}}"
{_REST.replace("LOGIN", login).replace("LIMIT", str(CHECK_LIMIT_S))}"""


_REST: Final = r"""say() { echo "myriad: $*"; }
cd "$MYRIAD_RUN_FOLDER" && mkdir -p logs || exit 75

# Always in the background, where it takes the place of the shell, so that ending it ends the connection.
limit=
on() {
  exec ${limit:+timeout --kill-after=15 $limit} \
    ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 LOGIN"$@"
}
quoted() { printf '%q ' "$@"; }

# Hosts that answer and pass their check, in the order given, but for those that are excluded.
healthy() {
  local asked=() host checks=() index code why limit=LIMIT  # a broken card may hang for ever
  for host in "${hosts[@]}"; do
    [[ ",${MYRIAD_EXCLUDED_NODES:-}," == *",$host,"* ]] || asked+=("$host")
  done
  for host in "${asked[@]}"; do
    on "$host" "$(quoted env MYRIAD_RUN_FOLDER="$MYRIAD_RUN_FOLDER" MYRIAD_HEALTH_CHECK="${MYRIAD_HEALTH_CHECK:-}" \
      sh "$MYRIAD_RUN_FOLDER/files/health.sh")" </dev/null >"logs/health-$host" 2>&1 &
    checks+=($!)
  done
  for index in "${!asked[@]}"; do
    host=${asked[index]}
    if wait "${checks[index]}"; then
      echo "$host"
    else
      code=$? why=$(tail -n 1 "logs/health-$host")
      ((code != 124 && code != 137)) || why="it gave no answer within LIMIT s"
      say "$host failed its check: ${why:=exit code $code}" >&2
      echo "$MYRIAD_SUBMISSION $host $why" >>unhealthy.txt
    fi
    rm -f "logs/health-$host"
  done
}

mapfile -t ranks < <(healthy | head -n "$nodes")
if ((${#ranks[@]} < nodes)); then
  say "only ${#ranks[@]} hosts passed their check, $nodes are needed"
  exit 75
fi

# Lives count on where the last one ended, whoever started the ranks again.
life=0
printf -v submission %03d "$MYRIAD_SUBMISSION"
for one in events/"$submission".*; do
  [[ -d $one ]] && ((10#${one##*.} >= life)) && life=$((10#${one##*.} + 1))
done

# With a terminal (-tt) what runs on a host is hung up when its connection ends; the agent then ends its ranks.
running=()
for rank in "${!ranks[@]}"; do
  on -tt "${ranks[rank]}" "$(quoted env NODE_RANK="$rank" NNODES="$nodes" MASTER_ADDR="${ranks[0]}" \
    MASTER_PORT="$MASTER_PORT" MYRIAD_SUBMISSION="$MYRIAD_SUBMISSION" MYRIAD_RUN_FOLDER="$MYRIAD_RUN_FOLDER" \
    SLURM_RESTART_COUNT="$life" sh "$MYRIAD_RUN_FOLDER/files/start.sh")" </dev/null &
  running+=($!)
done
trap 'kill "${running[@]}" 2>/dev/null; exit 143' TERM INT

code=0
for _ in "${running[@]}"; do
  wait -n || { code=$?; kill "${running[@]}" 2>/dev/null; break; }
done
wait
exit "$code"
"""

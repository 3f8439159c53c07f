"""The script that `sbatch` takes, below its options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from myriad.launch.training.schedulers.health import CHECK_LIMIT_S, NOT_HEALTHY
from myriad.spec.training_launch import TrainingLaunch


def script(launch: TrainingLaunch, options: Sequence[str], units: Sequence[int], srun: str) -> str:
    """The batch script. `units` are numbers of nodes that shall lie under one switch, `srun` options of the step."""
    layout = launch.layout
    return "".join(
        [
            "#!/bin/bash\n",
            *(f"{line}\n" for line in options),
            f"""#
# {launch.name}: {launch.model_id} on {launch.nodes:,} x {launch.gpus_per_node} {launch.accelerator},
# {layout.text()}, rank order {layout.order}. Written by myriad launch.
# By hand: run `sbatch files/job.sbatch` in the folder of the run. The files lie in its folder `files`.
set -u

nodes={launch.nodes}
units=({" ".join(map(str, units))})
""",
            _HEAD,
            _ENDING if any("--signal" in line for line in options) else "",
            _NODES.format(limit_s=CHECK_LIMIT_S),
            _PLACE,
            _START.format(options=srun, limit_s=CHECK_LIMIT_S, not_healthy=NOT_HEALTHY),
            _LOOP if launch.spare_nodes else _ONCE,
        ]
    )


_HEAD: Final = """
: "${MYRIAD_RUN_FOLDER:=$PWD}" "${MYRIAD_SUBMISSION:=0}" "${MASTER_PORT:=$((20000 + SLURM_JOB_ID % 10000))}"
export MYRIAD_RUN_FOLDER MYRIAD_SUBMISSION MASTER_PORT NNODES=$nodes
# What is exported here reaches ranks, whatever the one who submits is used to.
export SLURM_EXPORT_ENV=ALL
cd "$MYRIAD_RUN_FOLDER" && mkdir -p logs || exit 75

# How it ended, for whoever asks when Slurm has forgotten this job.
exit_file=logs/exit-$SLURM_JOB_ID
rm -f "$exit_file"
finish() {
  echo "$1" >"$exit_file.part" && mv "$exit_file.part" "$exit_file"
  exit "$1"
}
say() { echo "myriad: $*"; }
"""

_ENDING: Final = """
# The time limit is near: the job goes on from its last checkpoint when its turn comes again.
trap 'say "time limit: queued again"; scontrol requeue "$SLURM_JOB_ID"' USR1
"""

_NODES: Final = """
# Nodes of this job that answer.
alive() {{ sinfo --all --noheader --Node --nodes="$SLURM_JOB_NODELIST" --format='%N %T' | sort -u |
  awk '$2 !~ /\\*|^(down|fail|unk|power|boot)/ {{ print $1 }}'; }}

# `ok NODE ADDRESS` of each that passes its check, with the switches that lead to it where Slurm knows them.
checked() {{
  timeout --kill-after=30 {limit_s} srun --overlap --nodes="$#" --ntasks="$#" --ntasks-per-node=1 \\
    --nodelist="$(IFS=,; echo "$*")" --kill-on-bad-exit=0 --no-kill bash -c '
      said=$(sh files/health.sh) && echo "ok $SLURMD_NODENAME ${{SLURM_TOPOLOGY_ADDR:-}}" ||
        echo "bad $SLURMD_NODENAME $said"' </dev/null
}}
"""

_PLACE: Final = """
# Nodes in the order of ranks: whole units of nodes under one switch first, the largest first. Ranks that exchange most
# have neighbouring numbers, so that they meet where the plan counts on it.
place() {
  awk '$1 == "ok" { print substr($3, 1, length($3) - length($2)) "|" $2 }' | sort -t '|' -k1,1V -k2,2V |
    awk -F '|' -v units="${units[*]}" '
      { if (!($1 in count)) { leaf[++leaves] = $1 } name[$1, ++count[$1]] = $2 }
      END {
        sizes = split(units, size, " ")
        size[++sizes] = 1
        for (i = 1; i <= sizes; i++)
          for (l = 1; l <= leaves; l++) {
            here = leaf[l]
            while (count[here] - taken[here] >= size[i])
              for (k = 1; k <= size[i]; k++) print name[here, ++taken[here]]
          }
      }'
}
"""

_START: Final = """
# `bad NODE` of each that was asked and said nothing; where none did, it was not the nodes.
silent() {{
  [[ -z $found ]] || comm -23 <(printf '%s\\n' "${{asked[@]}}" | sort) <(awk '{{ print $2 }}' <<<"$found" | sort) |
    sed 's/.*/bad & it gave no answer within {limit_s} s/'
}}

# Checks, places and starts; gives what start.sh gives.
start() {{
  local asked found one life=0 submission
  for _ in {{1..12}}; do  # a node that is busy may be said not to answer for a while
    mapfile -t asked < <(alive)
    ((${{#asked[@]}} >= nodes)) && break
    sleep 5
  done
  found=$(checked "${{asked[@]}}")
  {{ grep '^bad' <<<"$found"; silent; }} | while read -r _ one why; do
    say "$one failed its check: ${{why:=it did not say why}}"
    echo "$MYRIAD_SUBMISSION $one $why" >>unhealthy.txt
  done
  mapfile -t ranks < <(place <<<"$found" | head -n "$nodes")
  if ((${{#ranks[@]}} < nodes)); then
    say "only ${{#ranks[@]}} nodes passed their check, $nodes are needed"
    return {not_healthy}
  fi
  export SLURM_HOSTFILE=$PWD/logs/hosts-$SLURM_JOB_ID
  printf '%s\\n' "${{ranks[@]}}" >"$SLURM_HOSTFILE"
  MASTER_ADDR=$(sinfo --noheader --Node --nodes="${{ranks[0]}}" --format=%o | head -n 1)
  # Lives count on where the last one ended, whoever started the ranks again.
  printf -v submission %03d "$MYRIAD_SUBMISSION"
  for one in events/"$submission".*; do
    [[ -d $one ]] && ((10#${{one##*.}} >= life)) && life=$((10#${{one##*.}} + 1))
  done
  export MASTER_ADDR SLURM_RESTART_COUNT=$life
  srun --nodes="$nodes" --ntasks="$nodes" --distribution=arbitrary --cpu-bind=none --kill-on-bad-exit=1 \\
    --no-kill=off --wait=60{options} bash -c 'NODE_RANK=$SLURM_PROCID exec sh files/start.sh' &
  local step=$! code
  while :; do
    wait "$step"
    code=$?
    kill -0 "$step" 2>/dev/null || return "$code"  # a signal to this script ends a wait as well
  done
}}
"""

_ONCE: Final = """
start
finish $?
"""

_LOOP: Final = """
# As long as it is nodes that break, spares take their place; all else is for the scheduler and the supervisor. A step
# may end well for srun while one of its nodes is gone: it has not ended there.
while :; do
  ranks=()
  start
  code=$?
  sleep 5
  lost=$(comm -23 <(printf '%s\\n' "${ranks[@]}" | sort) <(alive | sort) | paste -sd ' ')
  ((code == 75)) || [[ -z $lost ]] || { say "lost $lost; spares take over"; continue; }
  finish "$code"
done
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.sim.jobs import OUTCOMES, draw_jobs, statistics_of
from myriad.sim.jobs.traces import Recorded, jobs_text, read_jobs
from myriad.sim.jobs.traces.sacct import elapsed_s
from myriad.spec.jobs import JobClass, JobMix
from myriad.units import DAY_S

OWN = "submitted_s,accelerators,run_s\n"
OPENB = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
)
DAY = "2026-03-01T"
SACCT = "JobID|JobName|Account|Submit|Start|End|State|AllocTRES|Timelimit\n"


def read(folder: Path, text: str, name: str = "trace.csv") -> Recorded:
    path = folder / name
    path.write_text(text)
    return read_jobs(path)


def outcomes(found: Recorded) -> list[str]:
    return [OUTCOMES[one] for one in found.jobs.outcome]


def test_our_own_table_is_read_and_its_blanks_filled(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "submitted_s,accelerators,run_s,limit_s,outcome,tenant,priority,name,waited_s\n"
        "1000,8,60,3600,failed,a,5,first,2\n"
        "900,0.5,30.5,,,,,,\n",
    )
    jobs = found.jobs
    assert jobs.submitted_s.tolist() == [0, 100]
    assert jobs.accelerators.tolist() == [0.5, 8]
    assert jobs.run_s.tolist() == [30.5, 60]
    assert jobs.limit_s.tolist() == [np.inf, 3600]
    assert outcomes(found) == ["completed", "failed"]
    assert [jobs.tenants[one] for one in jobs.tenant] == ["all", "a"]
    assert jobs.priority.tolist() == [0, 5]
    assert jobs.names == ("", "first")
    assert np.isnan(found.waited_s[0])
    assert found.waited_s[1] == 2


def test_what_is_drawn_and_written_is_read_again(tmp_path: Path) -> None:
    classes = (JobClass(accelerators=8, share=1, median_run=100, mean_run=200, failed=0.3, tenant="a", priority=2),)
    drawn = draw_jobs(JobMix(name="x", jobs_per_day=500, longest_run=5000, classes=classes), DAY_S, seed=1)
    again = read(tmp_path, jobs_text(drawn, {"started_s": np.full(len(drawn), np.nan)})).jobs
    assert again.submitted_s == pytest.approx(drawn.submitted_s - drawn.submitted_s[0], abs=0.002)
    assert again.run_s == pytest.approx(drawn.run_s, abs=0.001)
    for field in ("accelerators", "limit_s", "outcome", "tenant", "priority"):
        assert np.array_equal(getattr(again, field), getattr(drawn, field)), field


def test_packed_files_and_dates_are_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(f"{OWN}2026-01-01T00:00:00,1,5\n2026-01-01T01:00:00+01:00,1,6\n".encode()))
    assert read_jobs(path).jobs.submitted_s.tolist() == [0, 0]


def test_pods_of_openb_become_jobs_on_shares_of_gpus(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        OPENB + "p-0,12000,16384,1,1000,,LS,Succeeded,100,700,110\n"
        "p-1,6000,12288,1,460,,BE,Failed,50,80,60\n"
        "p-2,6000,12288,8,1000,A100|H800,LS,Running,200,900,200\n"
        "p-3,6000,12288,0,0,,LS,Running,200,900,200\n"
        "p-4,6000,12288,1,1000,,BE,Pending,200,900,\n",
    )
    assert found.jobs.accelerators.tolist() == [0.46, 1, 8]
    assert found.jobs.run_s.tolist() == [20, 590, 700]
    assert outcomes(found) == ["failed", "completed", "completed"]
    assert found.waited_s.tolist() == [10, 10, 0]
    assert found.remarks == {"still ran at the end": 1, "asked for no accelerator": 1, "never started": 1}


def test_lines_of_sacct_become_jobs(tmp_path: Path) -> None:
    day = "2026-03-01T"
    found = read(
        tmp_path,
        SACCT
        + f"10|train|nlp|{day}00:00:00|{day}00:10:00|{day}02:10:00|COMPLETED|gres/gpu:h100=16,gres/gpu=16|1-00:00:00\n"
        f"10.batch|batch|nlp|{day}00:10:00|{day}00:10:00|{day}02:10:00|COMPLETED|cpu=64|\n"
        f"11_3|sweep|cv|{day}00:00:00|{day}00:00:05|{day}00:01:05|OUT_OF_MEMORY|gres/gpu:a100=2,gres/gpu:h100=1|UNLIMITED\n"
        f'12|a "quoted|cv|{day}00:00:01|{day}00:00:05|{day}00:01:05|CANCELLED by 1001|gres/gpu=1|00:30:00\n'
        f"13|long|cv|{day}00:00:01|{day}00:00:01|{day}01:00:01|TIMEOUT|gres/gpu=1|01:00:00\n"
        f"14|now|cv|{day}00:00:01|{day}01:10:00|Unknown|RUNNING|gres/gpu=4|01:00:00\n"
        f"15|later|cv|{day}00:00:01|Unknown|Unknown|PENDING|gres/gpu=4|01:00:00\n"
        f"16|gone|cv|{day}00:00:01|None|{day}00:00:09|CANCELLED by 7|gres/gpu=4|01:00:00\n"
        f"17|cpu|cv|{day}00:00:01|{day}00:00:01|{day}01:00:01|COMPLETED|cpu=4|01:00:00\n",
        "sacct.txt",
    )
    by_name = {name: index for index, name in enumerate(found.jobs.names)}
    assert sorted(by_name) == ["10", "11_3", "12", "13", "14"]
    assert dict(zip(found.jobs.names, found.jobs.accelerators, strict=True)) == {
        "10": 16, "11_3": 3, "12": 1, "13": 1, "14": 4,
    }  # fmt: skip
    assert found.jobs.run_s[by_name["10"]] == 7200
    assert found.waited_s[by_name["10"]] == 600
    assert found.jobs.limit_s[by_name["10"]] == DAY_S
    assert np.isinf(found.jobs.limit_s[by_name["11_3"]])
    assert dict(zip(found.jobs.names, outcomes(found), strict=True)) == {
        "10": "completed", "11_3": "failed", "12": "cancelled", "13": "cancelled", "14": "completed",
    }  # fmt: skip
    assert found.jobs.run_s[by_name["14"]] == 3600  # until the last moment that the file knows, 02:10
    assert found.jobs.tenants == ("nlp", "cv")
    assert found.remarks == {"still ran at the end": 1, "never started": 2, "asked for no accelerator": 1}


def test_attempts_of_a_requeued_job_are_one_job(tmp_path: Path) -> None:
    day = "2026-03-01T"
    found = read(
        tmp_path,
        SACCT + f"20|a|x|{day}00:00:00|{day}00:00:00|{day}01:00:00|NODE_FAIL|gres/gpu=8|\n"
        f"20|a|x|{day}01:00:00|{day}01:30:00|{day}02:00:00|PREEMPTED|gres/gpu=8|\n"
        f"20|a|x|{day}02:00:00|{day}03:00:00|{day}03:15:00|COMPLETED|gres/gpu=8|\n"
        f"21|b|x|{day}00:00:00|{day}00:00:00|{day}01:00:00|REQUEUED|gres/gpu=8|\n",
    )
    assert found.jobs.run_s.tolist() == [3600 + 1800 + 900, 3600]
    assert outcomes(found) == ["completed", "cancelled"]
    assert found.remarks == {"were last stopped by the cluster": 1}


def test_times_of_slurm() -> None:
    assert elapsed_s("00:01:00.500") == 60
    assert elapsed_s("2-00:00:01") == 2 * DAY_S + 1


def workload(name: str, conditions: list[tuple[str, str, str]], gpus: int = 8, pods: int = 2) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"resources": {"requests": {"nvidia.com/gpu": str(gpus), "cpu": "4"}}}]}}
    return {
        "kind": "Workload",
        "metadata": {"name": name, "namespace": "team", "creationTimestamp": "2026-03-01T00:00:00Z"},
        "spec": {"queueName": "main", "priority": 100, "podSets": [{"count": pods, "template": pod}]},
        "status": {
            "conditions": [
                {"type": kind, "status": status, "lastTransitionTime": f"2026-03-01T{when}Z", "reason": "Succeeded"}
                for kind, status, when in conditions
            ]
        },
    }


def lines(*objects: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_workloads_of_kueue_run_while_they_are_admitted(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        lines(
            {"type": "ADDED", "object": workload("a", [])},
            {"type": "MODIFIED", "object": workload("a", [("Admitted", "True", "00:10:00")])},
            {"type": "MODIFIED", "object": workload("a", [("Admitted", "False", "00:30:00")])},
            workload("a", [("Admitted", "True", "01:00:00"), ("Finished", "True", "01:05:00")]),
            workload("b", [("QuotaReserved", "False", "00:00:01")]),
            workload("c", [("Admitted", "True", "00:00:01")], gpus=1, pods=1),
            workload("d", [], gpus=0),
        ),
        "kueue.jsonl",
    )
    assert found.jobs.names == ("team/a", "team/c")
    assert found.jobs.accelerators.tolist() == [16, 1]
    assert found.jobs.run_s.tolist() == [20 * 60 + 5 * 60, 3899]
    assert found.waited_s.tolist() == [600, 1]
    assert found.jobs.priority.tolist() == [100, 100]
    assert found.jobs.tenants == ("main",)
    assert found.remarks == {"still ran at the end": 1, "never started": 1, "asked for no accelerator": 1}


def test_events_tell_admissions_that_the_object_has_forgotten(tmp_path: Path) -> None:
    def event(reason: str, when: str) -> dict[str, Any]:
        about = {"kind": "Workload", "namespace": "team", "name": "a"}
        return {"kind": "Event", "reason": reason, "involvedObject": about, "firstTimestamp": f"2026-03-01T{when}Z"}

    found = read(
        tmp_path,
        lines(
            event("Admitted", "00:10:00"),
            event("EvictedDueToPreempted", "00:30:00"),
            event("QuotaReserved", "00:59:00"),
            workload("a", [("Admitted", "True", "01:00:00"), ("Finished", "True", "01:05:00")]),
        ),
    )
    assert found.jobs.run_s.tolist() == [25 * 60]
    assert found.waited_s.tolist() == [600]


def test_pod_groups_of_volcano_end_with_their_job(tmp_path: Path) -> None:
    about = {"namespace": "ml", "creationTimestamp": "2026-03-01T00:00:00Z"}
    group = {
        "kind": "PodGroup",
        "metadata": {**about, "name": "podgroup-1", "ownerReferences": [{"kind": "Job", "name": "train"}]},
        "spec": {"queue": "gold", "minResources": {"requests.nvidia.com/gpu": "32", "cpu": "8"}},
        "status": {
            "conditions": [{"type": "Scheduled", "status": "True", "lastTransitionTime": "2026-03-01T00:01:00Z"}]
        },
    }
    job = {
        "kind": "Job",
        "metadata": {**about, "name": "train"},
        "spec": {"queue": "gold"},
        "status": {
            "conditions": [
                {"status": "Running", "lastTransitionTime": "2026-03-01T00:02:00Z"},
                {"status": "Restarting", "lastTransitionTime": "2026-03-01T00:12:00Z"},
                {"status": "Running", "lastTransitionTime": "2026-03-01T00:22:00Z"},
                {"status": "Failed", "lastTransitionTime": "2026-03-01T00:32:00Z"},
            ]
        },
    }
    found = read(tmp_path, lines(group, job))
    assert len(found.jobs) == 1
    assert found.jobs.accelerators.tolist() == [32]
    assert found.jobs.run_s.tolist() == [1200]
    assert outcomes(found) == ["failed"]
    assert found.jobs.tenants == ("gold",)
    deleted = {**group, "metadata": {**group["metadata"], "deletionTimestamp": "2026-03-01T00:11:00Z"}}
    alone = read(tmp_path, lines(group, {"type": "DELETED", "object": deleted}))
    assert alone.jobs.run_s.tolist() == [600]
    assert outcomes(alone) == ["cancelled"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: found ''; expected JSON Lines"),
        ("a,b\n1,2\n", "1: found 'a,b'; expected JSON Lines or the columns"),
        (OWN, "found no job"),
        (f"{OWN}1,8,x\n", "2: run_s: found 'x'"),
        (f"{OWN}1,8,-5\n", "2: run_s: found '-5'"),
        (f"{OWN}1,0,5\n", "2: accelerators: found '0'"),
        (f"{OWN}1,8,inf\n", "2: run_s: found 'inf'"),
        (f"{OWN}1,8\n", "2: has fewer cells than the header"),
        (f"{OWN}1,8,5,6\n", "2: has more cells than the header"),
        (f"{OWN}never,8,5\n", "2: submitted_s: found 'never'"),
        ("submitted_s,accelerators,run_s,tennant\n1,8,5,a\n", "1: unknown column 'tennant'; did you mean 'tenant'"),
        ("submitted_s,accelerators,run_s,outcome\n1,8,5,done\n", "2: unknown outcome 'done'"),
        (f"{OPENB}p,1,1,1,1000,,LS,Done,1,2,1\n", "2: unknown pod_phase 'Done'"),
        (f"{OPENB}p,1,1,1,1000,,LS,Failed,5,4,5\n", "2: expected creation_time <= scheduled_time"),
        (f"{OPENB}p,1,1,x,1000,,LS,Failed,1,2,1\n", "2: num_gpu: found 'x'"),
        ("JobID|Submit|Start|End|State\n1|a|b|c|d\n", "1: the GPUs of jobs are missing"),
        (f"{SACCT}1|n|a|bad|x|y|COMPLETED|gres/gpu=1|\n", "2: Submit: found 'bad'"),
        (f"{SACCT}1|n|a|{DAY}00:00:00|{DAY}00:00:00|{DAY}00:00:00|COMPLET|gres/gpu=1|\n", "unknown State"),
        (f"{SACCT}1|n|a|{DAY}01:00:00|{DAY}00:00:00|{DAY}02:00:00|COMPLETED|gres/gpu=1|\n", "2: expected Submit"),
        (f"{SACCT}1|n|a|{DAY}00:00:00|{DAY}00:00:00|{DAY}02:00:00|COMPLETED|gres/gpu=x|\n", "2: gres/gpu: found 'x'"),
        (f"{SACCT}1|n|a|{DAY}00:00:00|{DAY}00:00:00|{DAY}02:00:00|COMPLETED|gres/gpu=1|5 h\n", "2: Timelimit"),
        ('{"kind": "Pod"}\n', "1: unknown kind 'Pod'"),
        ('{"kind": "Workload", "metadata": {"name": "a"}, "spec": {}}\n', "1: not as Kueue or Volcano write it"),
        ('{"kind": "Workload"\n', "1: is not JSON"),
        ('{"kind": "Workload", "metadata": []}\n', "1: not as Kueue or Volcano write it"),
    ],
)  # fmt: skip
def test_bad_traces_are_refused_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        read(tmp_path, text)
    assert str(tmp_path / "trace.csv") in str(refused.value)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        read_jobs(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is not UTF-8"):
        read_jobs(tmp_path / "x.csv")
    (tmp_path / "x.csv.gz").write_bytes(b"plain")
    with pytest.raises(SpecError, match="cannot be read"):
        read_jobs(tmp_path / "x.csv.gz")


def test_a_trace_has_statistics(tmp_path: Path) -> None:
    found = read(tmp_path, f"{OWN}0,8,100\n86400,1,300\n")
    statistics = statistics_of(found.jobs, found.waited_s)
    assert statistics.jobs_per_day == 2
    assert statistics.mean_wait is None
    assert statistics.accelerator_time_per_job == 550

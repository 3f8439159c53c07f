import io

from rich.console import Console

from myriad.report.job_statistics import drawn_jobs_text
from myriad.spec.job_statistics import DrawnJobs, Endings, JobStatistics, LargeJobs


def shown(result: DrawnJobs, lang: str) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(drawn_jobs_text(result, lang))
    return out.getvalue()


RESULT = DrawnJobs(
    mix="ours",
    days=30,
    seed=0,
    given=JobStatistics(median_run=90, mean_wait=40),
    drawn=JobStatistics(
        jobs=1200, jobs_per_day=40, median_run=91, by_jobs=Endings(completed=0.5, failed=0.3, cancelled=0.2),
        large=(LargeJobs(accelerators=64, jobs=0.1),),
    ),
    remarks={"never started": 3},
)  # fmt: skip


def test_given_and_drawn_stand_side_by_side_and_what_is_unknown_is_a_dash() -> None:
    text = shown(RESULT, "en")
    assert "ours: 1,200 jobs drawn for 30 days" in text
    lines = {line.split("  ")[0]: line.split()[-4:] for line in text.splitlines()}
    assert lines["median run time"] == ["90", "s", "91", "s"]
    assert lines["failed, of jobs"][-3:] == ["–", "30.0", "%"]
    assert lines["mean wait"][-1] == "–"
    assert "from 64 accelerators, of jobs" in lines
    assert "mean run time" not in lines
    assert "3 jobs never started" in text


def test_in_chinese_too() -> None:
    text = shown(RESULT, "zh")
    assert "失败，占作业数" in text
    assert "3 个作业从未启动" in text

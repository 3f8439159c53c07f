import io

from rich.console import Console

from jobs_fixtures import jobs_result
from myriad.report.jobs_page import jobs_html
from myriad.report.jobs_text import jobs_result_text
from myriad.report.jobs_views import interval_of, rows_of, size_name, waits_in
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.spec.job_statistics import JobStatistics
from myriad.spec.jobs_result import WAITS_S, Figure

ENGLISH = language("en")


def shown(lang: str, published: JobStatistics | None = None) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(jobs_result_text(jobs_result(), published, lang))
    return out.getvalue()


def test_the_text_has_every_figure_of_every_policy() -> None:
    text = shown("en", JobStatistics(mean_wait=400, median_wait=7))
    assert max(map(len, text.splitlines())) <= 80
    assert "published a median wait of 7 s and a mean of 400 s" in text
    assert "Nothing breaks in this simulation." in text
    for name in ("accelerators in use", "jobs in the queue", "By size of job: fifo", "9 to 64"):
        assert name in text
    assert "published" not in shown("en")
    assert "按作业规模：fifo" in shown("zh")


def test_more_policies_than_fit_side_by_side_get_tables_of_their_own() -> None:
    result = jobs_result()
    many = result.model_copy(update={"policies": result.policies * 2})
    out = io.StringIO()
    Console(file=out, width=80).print(jobs_result_text(many))
    assert out.getvalue().count("Policies side by side") == 2


def test_broken_machines_are_said_with_what_jobs_do_about_it() -> None:
    for interval, words in ((3600.0, "one per 60 min of work"), (None, "stopped jobs start anew")):
        broken = jobs_result().model_copy(update={"reliability": "X", "checkpoint_interval_s": interval})
        out = io.StringIO()
        Console(file=out, width=200).print(jobs_result_text(broken))
        assert words in out.getvalue()


def test_no_interval_goes_beyond_what_can_be() -> None:
    numbers = Numbers(ENGLISH)
    use = rows_of(numbers)[0]
    assert interval_of(Figure(mean=0.9, low=-0.1, high=1.2), use.shown, use.most) == "0.0 % – 100.0 %"
    assert interval_of(Figure(mean=0.9, low=None, high=None), use.shown) == ""
    assert interval_of(Figure(mean=1.0, low=0.99999, high=1.0), use.shown) == ""


def test_no_wait_is_no_wait() -> None:
    assert waits_in(Numbers(ENGLISH))(0.0) == "0 s"
    assert waits_in(Numbers(ENGLISH))(90.0) == "90 s"


def test_sizes_are_named_by_their_ends() -> None:
    names = [size_name(line, ENGLISH) for line in jobs_result().policies[0].sizes]
    assert names == ["up to 1", "2 to 8", "9 to 64"]
    largest = jobs_result().policies[0].sizes[0].model_copy(update={"larger_than": 512.0, "up_to": None})
    assert size_name(largest, ENGLISH) == "over 512"


def test_shares_that_waited_grow_with_the_time_and_fit_the_percentiles() -> None:
    for one in jobs_result().policies:
        within = one.waiting.within
        assert len(within) == len(WAITS_S)
        assert list(within) == sorted(within)
        assert all(0.0 <= share <= 1.0 for share in within)


def test_the_page_holds_the_result_and_escapes_names() -> None:
    page = jobs_html(jobs_result(), "A100")
    assert "Jobs &lt;of&gt; ours" in page
    assert '"jobs":"Jobs \\u003cof\\u003e ours"' in page

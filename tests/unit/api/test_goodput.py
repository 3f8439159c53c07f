import pytest

from myriad import api
from myriad.errors import SpecError
from myriad.spec.goodput import GoodputQuestion, GoodputResult

BARE = {"accelerators": 512, "mtti": "3 h", "checkpoint_interval": "20 min", "downtime": "10 min", "blocking": "5 s"}


def asked(runs: int = 0, **figures: object) -> GoodputResult:
    return api.goodput(GoodputQuestion.model_validate(figures), runs)


def test_simulated_runs_agree_with_the_closed_form():
    result = asked(20, **BARE)
    assert result.simulated is not None
    assert result.simulated.ettr.low - 0.005 < result.ettr < result.simulated.ettr.high + 0.005
    for name, share in result.parts.items():
        assert result.simulated.parts[name] == pytest.approx(share, abs=0.01), name


def test_the_same_seed_gives_the_same_runs():
    one, two = (asked(5, **BARE).simulated for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.ettr == two.ettr


def test_a_given_interval_is_held_against_the_best():
    result = asked(**BARE)
    ettr = {one.name: one.ettr for one in result.intervals}
    assert list(ettr) == ["given", "best", "young", "daly"]
    assert ettr["best"] == pytest.approx(max(ettr.values()), abs=1e-6)
    assert ettr["given"] == result.ettr
    assert max(one.ettr for one in result.curve) <= ettr["best"] + 1e-6
    assert {one.name for one in result.changes} >= {"best_interval", "failures_half", "restart_half"}
    assert result.changes[0].gain == max(one.gain for one in result.changes)


def test_larger_jobs_keep_less():
    sizes = asked(**BARE).sizes
    assert [one.ettr for one in sizes] == sorted((one.ettr for one in sizes), reverse=True)
    assert next(one.mtti_s for one in sizes if one.accelerators == 1024) == pytest.approx(1.5 * 3600.0)


def test_ways_to_say_how_often_it_breaks_agree():
    rest = {"accelerators": 512, "checkpoint_interval": "20 min", "downtime": "10 min", "blocking": "5 s"}
    by_rate = asked(**rest, failures_per_1000_node_days=125.0)  # 64 nodes: 8 a day
    by_count = asked(**rest, interruptions=80, duration="10 days")
    by_time = asked(**rest, mtti="3 h")
    assert by_rate.ettr == pytest.approx(by_time.ettr, rel=1e-9)
    assert by_count.ettr == pytest.approx(by_time.ettr, rel=1e-9)


def test_what_was_left_open_is_said():
    result = asked(accelerators=512, mtti="3 h")
    said = " ".join(result.assumed)
    for what in (
        "nodes of 8",
        "unknown size",
        "the best for these figures",
        "restart",
        "detection",
        "spares",
        "repair",
    ):
        assert what in said
    assert "detection" not in " ".join(asked(**BARE).assumed)


def test_few_spares_wait():
    plenty, few = (asked(**BARE, spares=spares, repair="12 h") for spares in (400, 16))
    assert plenty.parts["waiting"] < 1e-6
    assert few.parts["waiting"] > 0.1
    assert plenty.waiting_spares == few.waiting_spares
    assert few.spare_nodes == 2


def test_a_profile_of_the_catalog_names_its_causes():
    result = asked(cluster="h100:1024", reliability="llama3-h100", model="llama3-8b")
    assert result.checkpoint.state_bytes == pytest.approx(14 * 8.03e9, rel=0.01)
    assert len(result.causes) > 10
    assert result.causes[0].lost == max(one.lost for one in result.causes)
    rate = sum(one.interruptions_per_day for one in result.causes)
    assert result.mtti_s == pytest.approx(86400.0 / rate, rel=1e-6)


def test_nothing_that_breaks_leaves_all_but_the_checkpoints():
    result = asked(accelerators=64, interruptions=0, duration="30 days", checkpoint_interval="1 h", blocking="36 s")
    assert result.mtti_s is None
    assert result.ettr == pytest.approx(3600 / 3636)


@pytest.mark.parametrize(
    ("figures", "wanted"),
    [
        ({"mtti": "3 h"}, "cluster or accelerators"),
        ({"accelerators": 8}, "mtti"),
        ({"accelerators": 8, "mtti": "3 h", "interruptions": 3, "duration": "3 h"}, "found mtti and interruptions"),
        ({"accelerators": 8, "interruptions": 3}, "duration is missing"),
        ({"accelerators": 8, "mtti": "3 h", "downtime": 9, "restart": 9}, "restart is part of the downtime"),
        ({"accelerators": 8, "reliability": "llama3-h100"}, "reliability needs a cluster"),
        ({"accelerators": 8, "mtti": "3 h", "mode": "elastic"}, "replicas are missing"),
    ],
)
def test_contradictions_are_refused(figures, wanted):
    with pytest.raises(ValueError, match=wanted):
        GoodputQuestion.model_validate(figures)


def test_one_run_says_nothing_about_the_spread():
    with pytest.raises(SpecError, match="at least 2"):
        asked(1, **BARE)

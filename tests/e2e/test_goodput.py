"""`myriad goodput` as a process."""

import json

BARE = ("--accelerators", "512", "--mtti", "3h", "--checkpoint-interval", "20min", "--downtime", "10min")


def test_a_bare_question_is_answered_in_both_languages(myriad):
    english = myriad("goodput", *BARE, "--runs", "0").out
    assert "of the time is expected to train (ETTR)" in english
    for said in ("Young", "Daly", "best", "131,072", "Assumed", "spares enough"):
        assert said in english
    chinese = myriad("goodput", *BARE, "--runs", "0", "--lang", "zh").out
    assert "有效训练时间占比" in chinese
    assert "备机充足" in chinese
    assert "spares" not in chinese


def test_json_alone_holds_the_curve_and_the_runs(myriad):
    result = json.loads(myriad("goodput", *BARE, "--runs", "4", "--seed", "3", "--json", "-").out)
    assert result["format"] == "myriad-goodput-1"
    assert abs(sum(result["parts"].values()) - 1) < 1e-9
    assert len(result["curve"]) > 50
    assert result["simulated"]["runs"] == 4


def test_wrong_questions_are_refused_in_one_line(myriad):
    def refused(*arguments):
        done = myriad(*arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        return done.err

    assert "--mtti" in refused("goodput", "--accelerators", "512", "--mtti", "-3h")
    assert "expected one of" in refused("goodput", "--accelerators", "512")
    assert "--restart" in refused("goodput", *BARE, "--restart", "3min")
    assert "reliability: unknown" in refused("goodput", "--cluster", "h100:512", "--reliability", "nope")
    assert "replicas" in refused("goodput", *BARE, "--mode", "elastic", "--replicas", "7")
    assert "at least 2" in refused("goodput", *BARE, "--runs", "1")
    assert "at most" in refused("goodput", "--accelerators", "100G", "--mtti", "3h")

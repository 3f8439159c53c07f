from __future__ import annotations

import pytest

from myriad.api.domain import caveats, checked_domain, model_caveats
from myriad.api.training import setting_of
from myriad.catalog import model
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout


def of(cluster="h100:64", name="llama3-8b", layout=None, **work):
    setting = setting_of(name, cluster, TrainingWork(**{"seq_len": 4096, "global_batch": 64} | work))
    return " | ".join(caveats(setting, layout or Layout(dp=8)))


def test_inside_the_domain_nothing_is_said():
    assert of() == ""


def test_domain_is_what_the_shipped_rows_cover():
    domain = checked_domain()
    assert domain.gpus["h100-sxm"] >= 8192
    assert ("h100-sxm", "fp8") in domain.precisions
    assert domain.longest_sequence >= 8192


@pytest.mark.parametrize(
    ("said", "case"),
    [
        ("no measured kernel times", {"cluster": "mi300x:64"}),
        ("no published training run", {"cluster": "mi300x:64"}),
        ("accelerators; the largest run checked", {"cluster": "h100:65536", "layout": Layout(tp=8, dp=8192)}),
        ("tf32 was not checked", {"precision": "tf32"}),
        ("the longest checked is", {"seq_len": 4_194_304}),
        ("the zero-bubble schedule is a closed form", {"layout": Layout(pp=2, schedule="zero-bubble")}),
        ("beyond the scale-up domain", {"layout": Layout(tp=16)}),
        ("stands in", {"name": "mimo-v2-pro"}),
        ("experts; the most checked are 256", {"name": "kimi-k2-instruct"}),
        ("linear and compressed attention", {"name": "qwen3.5-27b"}),
    ],
)
def test_each_way_out_is_said(said, case):
    assert said in of(**case)


def test_precisions_of_one_rate_share_a_record():
    assert "was not checked" not in of(precision="fp8-block")


def test_plain_models_have_no_caveat():
    assert model_caveats(model("llama3-8b")) == ()

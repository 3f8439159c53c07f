"""`--html` of the verbs of fabrics."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "drawn"),
    [
        (("describe", "superpod-h100", "--cluster", "dgx-h100:1016", "--lang", "zh"), 'class="box leaf"'),
        (("compare", "slim-fly,dragonfly", "--cluster", "dgx-h100:4096"), 'class="box group"'),
        (("bom", "rail-only-ndr", "--cluster", "dgx-h100:512", "--currency", "CNY"), 'id="table-bill"'),
        (
            (
                "simulate",
                "fat-tree-ndr",
                "--cluster",
                "dgx-h100:128",
                "--collective",
                "all-reduce",
                "--links-down",
                "1%",
            ),
            'class="fabric heat"',
        ),
    ],
)
def test_a_page_is_written_beside_what_is_said(myriad, words, drawn):
    done = myriad("fabric", *words, "--html", "page.html")
    assert done.code == 0
    assert "page: page.html" in done.err
    page = Path("page.html").read_text("utf-8")
    assert drawn in page
    assert "http://" not in page.replace("http://www.w3.org", "").split("<script>")[0]


def test_a_page_and_values_do_not_share_a_file(myriad):
    done = myriad(
        "fabric", "describe", "superpod-h100", "--cluster", "dgx-h100:1016", "--html", "a.html", "--json", "a.html"
    )
    assert done.code == 2
    assert not Path("a.html").exists()

from importlib.resources import files

import pytest

from myriad import catalog
from myriad.calibrate.job_mixes import class_text, matched_mix, with_classes


@pytest.mark.parametrize("name", catalog.names("mixes"))
def test_the_shipped_classes_are_those_that_the_published_figures_give(name: str) -> None:
    shipped, anew = catalog.job_mix(name), matched_mix(name)
    assert len(shipped.classes) == len(anew.classes)
    for one, other in zip(shipped.classes, anew.classes, strict=True):
        for field in ("accelerators", "share", "median_run", "mean_run", "failed", "cancelled"):
            assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-3), (field, one)


def test_writing_them_again_changes_nothing_else() -> None:
    text = (files("myriad") / "data" / "mixes" / "philly.yaml").read_text("utf-8")
    assert with_classes(text, catalog.job_mix("philly")) == text
    assert class_text(catalog.job_mix("philly").classes[0]).startswith("{accelerators: 1.0, share: ")

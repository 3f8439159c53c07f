"""The fragmentation fraction from printed peaks."""

from __future__ import annotations

import pytest

from myriad.calibrate.__main__ import main
from myriad.calibrate.memory import fit_fragmentation, judge, leave_one_out
from myriad.errors import SpecError
from myriad.spec.validation import PeakError


def peak(stack: str, fraction: float, fragmenting: float = 40e9, other: float = 20e9) -> PeakError:
    """A peak that the fraction explains exactly."""
    measured = other + (1 + fraction) * fragmenting
    return PeakError(
        id="a", stack=stack, model="m", layout="TP1", measured_bytes=measured, predicted_bytes=measured,
        fragmenting_bytes=fragmenting, other_bytes=other, error=0.0,
    )  # fmt: skip


def test_fit_finds_the_fraction_that_explains_the_peaks():
    peaks = [peak("a", 0.2), peak("a", 0.2, 10e9), peak("b", 0.2, 60e9, 1e9)]
    assert fit_fragmentation(peaks) == pytest.approx(0.2)
    found = judge(peaks, 0.2)
    assert (found.num_rows, found.mean_abs_error, found.bias) == (3, pytest.approx(0), pytest.approx(0))
    assert judge(peaks, 0.3).bias > 0


def test_each_software_is_judged_by_the_others():
    found = leave_one_out([peak("a", 0.1), peak("b", 0.3), peak("c", 0.3)])
    assert found["a"].fragmentation_fraction == pytest.approx(0.3)
    assert found["a"].bias == pytest.approx((20 + 1.3 * 40) / (20 + 1.1 * 40) - 1)
    assert found["b"].num_rows == 1


def test_peaks_without_gaps_say_nothing_of_them():
    with pytest.raises(SpecError, match="no row prints a peak that fragmentation is part of"):
        fit_fragmentation([peak("a", 0.0, fragmenting=0.0)])


def test_a_file_that_is_no_judgement_is_one_line(tmp_path, capsys):
    file = tmp_path / "errors.json"
    file.write_text("{}", "utf-8")
    assert main(["memory", "--validation", str(file)]) == 2
    assert capsys.readouterr().err == f"--validation {file}: not what `myriad validate training --json` writes\n"
    assert main(["memory", "--validation", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"--validation {tmp_path / 'none'}: No such file or directory\n"

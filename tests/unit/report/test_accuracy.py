import io

from rich.console import Console

from myriad.report.accuracy import band_widths, fitted_text
from myriad.spec.fitted import Bands
from myriad.spec.validation import Fitted, GroupError, LeftOut, MemoryJudgement, Validation

BANDS = Bands(
    share=0.8, families={"dense": 0.1, "moe": 0.3, "hybrid": 0.2}, unknown_stack=0.05, unknown_accelerator=0.2
)


def errors(mean: float) -> GroupError:
    return GroupError(rows=10, mean_abs_error=mean, median_abs_error=mean / 2, p90_abs_error=2 * mean, bias=-mean)


def validation() -> Validation:
    left_out = LeftOut(overall=errors(0.11), groups={"llama": errors(0.31)}, in_band=0.79)
    fitted = Fitted(parameters=5, rows=10, fewest_rows=3, bands=BANDS, left_out={"lineage": left_out})
    return Validation(
        rows=10, predicted=10, skipped={}, mean_abs_error=0.05, median_abs_error=0.04, p90_abs_error=0.1, bias=0.01,
        groups={"lineage": {"llama": errors(0.06)}}, per_row=(), fitted=fitted,
        memory=MemoryJudgement.model_construct(rows=0),
    )  # fmt: skip


def shown(result: Validation) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(*fitted_text(result), sep="\n")
    return out.getvalue()


def test_errors_of_both_fits_stand_side_by_side():
    text = shown(validation())
    assert "5 parameters fitted to 10 runs, 2 runs for each" in text
    assert "79% of runs lie inside their 80% band where their line of models was left out" in " ".join(text.split())
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["llama"] == ["10", "6.0", "3.0", "12.0", "-6.0", "31.0", "15.5", "62.0", "-31.0"]
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_is_said_where_nothing_was_fitted():
    assert shown(validation().model_copy(update={"fitted": None})).strip() == ""


def test_widths_of_bands_are_factors():
    assert band_widths(BANDS).startswith("dense x 1.11, moe x 1.35, hybrid x 1.22; ")

import pytest

from myriad.errors import (
    InfeasibleError,
    LaunchError,
    MissingDataError,
    MyriadError,
    SpecError,
    nearest,
    unknown_name,
)


@pytest.mark.parametrize("error", [SpecError, MissingDataError, InfeasibleError, LaunchError])
def test_one_base_catches_all(error):
    with pytest.raises(MyriadError, match="why"):
        raise error("why")


def test_a_spec_error_is_a_value_error_so_that_validators_may_raise_it():
    assert issubclass(SpecError, ValueError)
    assert issubclass(MissingDataError, LookupError)


def test_nearest_ignores_case_and_keeps_the_spelling():
    assert nearest("deepseek-V3", ["DeepSeek-V3", "mixtral"]) == "; did you mean 'DeepSeek-V3'?"
    assert nearest("H100-SMX", ["h100-sxm", "h100-pcie"]).startswith("; did you mean 'h100-sxm'")


def test_nearest_prefers_the_first_of_two_spellings():
    assert nearest("gbb", ["GB", "Gb"]) == "; did you mean 'GB'?"


def test_nearest_leaves_out_what_is_far():
    assert nearest("h100-smx", ["h100-sxm", "a100-sxm-80gb"]) == "; did you mean 'h100-sxm'?"


def test_nearest_gives_at_most_three():
    assert nearest("abcd", ["abcde", "abcdf", "abcdg", "abcdh"]).count(" or ") == 2


def test_a_long_list_is_not_printed():
    assert unknown_name("thing", "zzz", [f"name-{i}" for i in range(100)]) == "unknown thing 'zzz'"

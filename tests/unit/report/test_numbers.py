import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad.report.language import language
from myriad.report.numbers import Numbers, significant

EN = Numbers(language("en"), "CNY", 0.125)
ZH = Numbers(language("zh"), "CNY", 0.125)


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (1.02e12, "1.02 T", "1.02 万亿"),
        (4.2e10, "42 B", "420 亿"),
        (33_554_432, "33.6 M", "3,360 万"),
        (999_999_999, "1 B", "10 亿"),
        (18_377, "18,400", "1.84 万"),
        (0, "0", "0"),
    ],
)
def test_large_counts_use_the_scale_words_of_the_language(value: float, english: str, chinese: str) -> None:
    assert (EN.large(value), ZH.large(value)) == (english, chinese)


@pytest.mark.parametrize(
    ("usd", "english", "chinese"),
    [(5.4625e7, "437 M CNY", "4.37 亿元"), (12.5, "100 CNY", "100 元"), (2.5e9, "20 B CNY", "200 亿元")],
)
def test_money_is_in_the_currency_of_the_plan(usd: float, english: str, chinese: str) -> None:
    assert (EN.money(usd), ZH.money(usd)) == (english, chinese)


def test_energy_and_hours() -> None:
    assert (EN.energy(6.4e13), ZH.energy(6.4e13)) == ("17.8 GWh", "1,780 万千瓦时")
    assert (EN.energy(3.6e6), ZH.energy(3.6e6)) == ("1 kWh", "1 千瓦时")
    assert (EN.gpu_hours(1.657e7), ZH.gpu_hours(1.657e7)) == ("16.6 M GPU-hours", "1,660 万卡时")
    assert (EN.gpus(1), EN.gpus(8192), ZH.gpus(8192)) == ("1 GPU", "8,192 GPUs", "8,192 张 GPU")


def test_durations() -> None:
    assert (EN.days(84.31), ZH.days(84.31)) == ("84.3 days", "84.3 天")
    assert (EN.days(0.5), ZH.days(0.5)) == ("12 hours", "12 小时")
    assert (EN.days(1234.5), EN.seconds(0.82), ZH.seconds(1200.0)) == ("1,234 days", "820 ms", "20 分钟")


def test_percent_and_changes() -> None:
    assert (EN.percent(0.3821), ZH.percent(0.3821)) == ("38.2 %", "38.2%")
    assert (EN.percent(-0.05, signed=True), EN.change(-0.1, signed=True)) == ("−5.0 %", "−10 %")


def test_columns_share_their_decimals() -> None:
    assert [EN.plain(v, 12.3) for v in (12.3, 13.0, 0.0738)] == ["12.3", "13.0", "0.1"]
    assert EN.signed(-0.14, 1.23) == "−0.14"


@given(st.floats(min_value=1e-6, max_value=1e15))
def test_three_digits_are_within_half_a_percent_and_never_scientific(value: float) -> None:
    text = significant(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=5.1e-3)

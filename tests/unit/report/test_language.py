import re
import string
from pathlib import Path
from typing import get_args

import pytest
import yaml

import myriad.report
from myriad.errors import SpecError
from myriad.report.bill_file import COLUMNS as BILL_COLUMNS
from myriad.report.campaign_course import STATES
from myriad.report.language import LANGUAGES, language
from myriad.report.price_views import KINDS
from myriad.report.service_views import SideName
from myriad.report.serving_views import MEMORY_USES, SPENT_PARTS
from myriad.report.sweep_views import METRICS
from myriad.report.views import StageRole
from myriad.sim.campaign import CATEGORIES, EVENT_KINDS
from myriad.sim.jobs.metrics import SHARES
from myriad.spec.bill import GROUPS, Sort
from myriad.spec.campaign_result import IMPROVEMENTS
from myriad.spec.fabric import LINK_CLASSES, TIERS
from myriad.spec.fabric_drawing import DrawnFrame
from myriad.spec.mixed import Join
from myriad.spec.money import CostLine
from myriad.spec.recovery import CheckpointPlace, Recovery
from myriad.spec.reliability import Component
from myriad.spec.result import (
    MEMORY_PARTS,
    TIME_PARTS,
    BandBasis,
    SearchResult,
    SourcedFigure,
)
from myriad.spec.run import RunState, SupervisorEventKind
from myriad.spec.serving_search import Limit
from myriad.spec.sweep import SweepPoint
from myriad.spec.sweep_result import Status
from myriad.spec.timeline import OPERATION_KINDS
from myriad.spec.traffic import TrafficName
from myriad.spec.validation import LEFT_OUT_KINDS
from myriad.units import CURRENCIES

ENGLISH, CHINESE = language("en"), language("zh")
SOURCES = [
    *Path(myriad.report.__file__).parent.glob("*.py"),
    *Path(myriad.report.__file__).parent.glob("templates/*.j2"),
]

DRAWN_TIERS = {tier for tiers in TIERS.values() for tier in tiers} | {"host", "chip", "group", "column"}

#: Rooms of the catalog whose keys are names of values, and all the names that they must have.
NAMED = {
    "part": TIME_PARTS,
    "memory": MEMORY_PARTS,
    "currency": CURRENCIES,
    "kind": get_args(SourcedFigure.model_fields["kind"].annotation),
    "cost": get_args(CostLine.model_fields["name"].annotation),
    "objective": get_args(SearchResult.model_fields["objective"].annotation),
    "stage": (*get_args(StageRole), "named"),
    "resource": ("matrix_rate", "memory_bandwidth", "memory_capacity", "scale_up", "scale_out", "gpus", "latency"),
    "join": get_args(Join),
    "left_out": LEFT_OUT_KINDS,
    "basis": tuple(basis.replace(" ", "_") for basis in get_args(BandBasis)),
    "axis": tuple(name for name in SweepPoint.model_fields if name != "cluster"),
    "metric": tuple(METRICS),
    "status": get_args(Status),
    "sends": get_args(TrafficName),
    "operation": OPERATION_KINDS,
    "limit": get_args(Limit),
    "brake": get_args(Limit),
    "spent": SPENT_PARTS,
    "use": MEMORY_USES,
    "price": (*KINDS, "by_cache_axis", "by_utilisation_axis"),
    "service": (*KINDS, "blended", *get_args(SideName)),
    "group": GROUPS,
    "bought": BILL_COLUMNS,
    "beside": ("storage", "in_band", "out_of_band", "scale_up"),
    "tier": {tier for tiers in TIERS.values() for tier in tiers},
    "links": {one.replace("-", "_") for classes in LINK_CLASSES.values() for one in classes},
    "tiers": DRAWN_TIERS,
    "one": DRAWN_TIERS,
    "frame": (*get_args(DrawnFrame.model_fields["kind"].annotation), "alike"),
    "topology": tuple(kind.replace("-", "_") for kind in TIERS),
    "drawing": ("up", "down"),
    "heat": ("up", "down"),
    "sort": get_args(Sort),
    "ledger": CATEGORIES,
    "event": EVENT_KINDS,
    "component": get_args(Component),
    "recovery": get_args(Recovery.model_fields["mode"].annotation),
    "place": tuple(place.replace("-", "_") for place in get_args(CheckpointPlace)),
    "improvement": IMPROVEMENTS,
    "state": STATES,
    "goes": SHARES,
    "compared": (
        "step_s",
        "tokens_per_s",
        "mfu",
        "memory_peak_bytes",
        "ettr",
        "mean_time_to_interruption_s",
        "checkpoint_blocking_s",
        "checkpoint_write_s",
        "checkpoint_read_s",
        "checkpoint_interval_s",
        "restart_s",
    ),
    "phase": get_args(RunState),
    "happened": tuple(kind.replace("-", "_") for kind in get_args(SupervisorEventKind)),
    "refit": (
        "compute",
        "streams",
        "overhead",
        "host",
        "tp",
        "cp",
        "ep",
        "pp",
        "dp",
        "reserved",
        "failures",
        "blocking",
        "write",
        "schedule",
        "read",
        "restart",
    ),
    "unit": ("gpu", "gpus", "gpu_hours", "kwh", "min", "h", "days"),
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    assert set(ENGLISH.texts) == set(CHINESE.texts)
    for key, text in ENGLISH.texts.items():
        assert placeholders(text) == placeholders(CHINESE.texts[key]), key


def test_no_text_is_unused_and_none_is_missing() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    rooms = {key.split(".")[0] for key in ENGLISH.texts}
    used = {key for key in re.findall(r"""["']([a-z]+\.[a-z_]+)["']""", code) if key.split(".")[0] in rooms}
    named = {f"{room}.{name}" for room, names in NAMED.items() for name in names}
    assert used | named == set(ENGLISH.texts)


def test_chinese_is_chinese() -> None:
    same = {key for key, text in CHINESE.texts.items() if text == ENGLISH.texts[key] and re.search("[a-z]{3}", text)}
    assert same <= {"memory.logits", "figure.hfu"}


@pytest.mark.parametrize("code", ["de", "ZH", ""])
def test_an_unknown_language_names_those_allowed(code: str) -> None:
    with pytest.raises(SpecError, match="unknown language") as caught:
        language(code)
    assert all(known in str(caught.value) for known in LANGUAGES) or "did you mean" in str(caught.value)


def test_phrases_keep_names_and_numbers() -> None:
    assert CHINESE.phrase("does not fit in memory") == "显存不足"
    assert CHINESE.phrase("384 experts; the most checked are 256") == "专家数为 384，校验过的最多为 256"
    assert CHINESE.phrase("torchtitan: fewer micro-batches than stages") == "torchtitan：微批数少于流水段数"
    assert CHINESE.phrase("something that nobody translated") == "something that nobody translated"
    assert ENGLISH.phrase("does not fit in memory") == "does not fit in memory"


def test_every_reason_of_a_search_has_its_chinese_words() -> None:
    # Read from the file: report must not import search, but what search says must not reach a page untranslated.
    rules = (Path(myriad.report.__file__).parents[1] / "search" / "rules.py").read_text(encoding="utf-8")
    reasons = re.findall(r'_rule\(\s*"([^"]+)"', rules)
    assert len(reasons) > 20
    missing = [reason for reason in reasons if CHINESE.phrase(reason) == reason]
    assert not missing, f"add these under `phrases` in report/messages/zh.yaml: {missing}"


def test_every_fitted_factor_has_its_chinese_words() -> None:
    # Read from the file, like the rules: what the fit is named must not reach a page untranslated.
    shipped = Path(myriad.report.__file__).parents[1] / "data" / "calibration" / "training.yaml"
    meanings = [factor["meaning"] for factor in yaml.safe_load(shipped.read_text(encoding="utf-8"))["factors"]]
    missing = [text for text in meanings if re.search(r"[a-z]{2,} [a-z]{2,}", CHINESE.phrase(text))]
    assert not missing, f"add these under `phrases` in report/messages/zh.yaml: {missing}"


def test_every_rule_that_fills_a_gap_has_its_chinese_words() -> None:
    rules = (Path(myriad.report.__file__).parents[1] / "validate" / "layouts.py").read_text(encoding="utf-8")
    notes = re.findall(r'(?:assumed = |notes \+?= \[)(?:1, )?"([^"]+)"', rules)
    assert len(notes) >= 3
    missing = [note for note in notes if CHINESE.phrase(note) == note]
    assert not missing, f"add these under `phrases` in report/messages/zh.yaml: {missing}"


def test_phrases_have_the_placeholders_of_their_pattern() -> None:
    for pattern, text in CHINESE.phrases:
        assert placeholders(text) == set(pattern.groupindex), pattern.pattern

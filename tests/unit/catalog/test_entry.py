import pytest

import myriad.catalog as catalog
from myriad.errors import MissingDataError, SpecError

ENTRY = """\
schema: 1
title: Test chip
aliases: [TC-1]
sources:
  sheet: {title: Test datasheet, url: "https://example.org"}
  guess: {title: A guess}
source: sheet
kind: datasheet
notes: [Made for a test.]
spec:
  name: Test chip
  vendor: Nobody
  accelerator_class: datacentre
  bf16_flops_per_s: 100 TFLOP/s
  memory_bytes: {value: 80 GB, source: guess, kind: assumed, note: why not, conflict: [70, 90]}
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes an accelerator into a catalog of the user's own."""
    (tmp_path / "accelerators").mkdir()
    monkeypatch.setenv(catalog.USER_CATALOG, str(tmp_path))

    def write(text, name="test-chip"):
        path = tmp_path / "accelerators" / f"{name}.yaml"
        path.write_text(text)
        return path

    return write


def test_figures_keep_their_origin(own):
    own(ENTRY)
    one = catalog.entry("accelerators", "tc-1")
    assert one.id == "test-chip"
    assert one.spec.memory_bytes == 80e9
    memory = one.figures["memory_bytes"]
    assert (memory.value, memory.kind, memory.source) == ("80 GB", "assumed", "guess")
    assert (memory.note, memory.conflict) == ("why not", "70; 90")
    rate = one.figures["bf16_flops_per_s"]
    assert (rate.value, rate.kind, rate.source) == ("100 TFLOP/s", "datasheet", "sheet")
    assert one.sources["sheet"].url == "https://example.org"


def test_own_entries_add_to_the_shipped_ones_and_replace_them(own):
    own(ENTRY)
    own(ENTRY.replace("Test chip", "Other H20").replace("TC-1", "tc-2"), "h20")
    assert {"test-chip", "h100-sxm"} <= set(catalog.names("accelerators"))
    assert catalog.accelerator("h20").name == "Other H20"


def test_own_catalog_must_be_a_folder(monkeypatch):
    monkeypatch.setenv(catalog.USER_CATALOG, "/no/such/folder")
    with pytest.raises(SpecError, match="MYRIAD_CATALOG: '/no/such/folder' is not a folder"):
        catalog.names("models")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema: 1", "schema: 2", ":1: schema: found 2, allowed: 1"),
        ("source: sheet\n", "source: shet\n", ": name: unknown source 'shet'; did you mean 'sheet'?"),
        ("kind: assumed", "kind: gessed", ":15: memory_bytes: unknown kind 'gessed'"),
        ("source: guess", "source: gues", ":15: memory_bytes: unknown source 'gues'; did you mean 'guess'?"),
        ("kind: datasheet", "kind: fact", ":8: kind: found text 'fact', allowed: datasheet, measured"),
        ("100 TFLOP/s", "100 TFLOP", ":14: bf16_flops_per_s: unknown unit 'TFLOP' for flops/s"),
        ("bf16_flops", "bf61_flops", ":14: unknown key 'bf61_flops_per_s'; did you mean 'bf16_flops_per_s'"),
        ("title: Test chip\n", "", ":1: title: this key is missing"),
        ("[Made for a test.]", "text", ":9: notes: expected a list, found text 'text'"),
        ("aliases: [TC-1]", "aliases: [H100]", "alias"),
    ],
)
def test_wrong_entries(own, old, new, said):
    path = own(ENTRY.replace(old, new, 1))
    with pytest.raises(SpecError) as caught:
        catalog.entry("accelerators", "test-chip" if "alias" not in said else "unknown-name")
    assert str(path.parent) in str(caught.value) or "h100-sxm" in str(caught.value)
    assert said in str(caught.value)


def test_an_entry_needs_a_spec(own):
    own(ENTRY[: ENTRY.index("spec:")])
    with pytest.raises(SpecError, match="spec: expected a mapping, found nothing"):
        catalog.accelerator("test-chip")


def test_names_in_any_case_and_by_alias():
    assert catalog.entry("accelerators", "H100-SXM-80GB").id == "h100-sxm"
    assert catalog.accelerator(" Gb200 ") is catalog.accelerator("gb200")


def test_unknown_names_get_the_nearest():
    with pytest.raises(SpecError, match=r"unknown accelerator 'h100-smx'; did you mean 'h100-sxm"):
        catalog.accelerator("h100-smx")
    with pytest.raises(SpecError, match=r"unknown stack 'megatron-cor'; did you mean 'megatron-core'"):
        catalog.stack("megatron-cor")
    with pytest.raises(SpecError, match="unknown price list"):
        catalog.price_list("potatoes")


def test_search_wants_every_word():
    assert "h100-sxm" in [hit.id for hit in catalog.search("nvidia h100 SXM")]
    assert "xring-o1" in [hit.id for hit in catalog.search("玄戒")]
    assert catalog.search("h100 potato") == []


def test_kernels_of_an_unknown_accelerator_are_the_default_ones():
    found, calibrated = catalog.kernels("no-such-chip")
    assert not calibrated
    assert found == catalog.entry("kernels", "default").spec


def test_kernels_of_a_calibrated_accelerator():
    for one in catalog.entries("kernels"):
        for name in one.spec.accelerators:
            assert catalog.kernels(name) == (one.spec, True)


def test_missing_default_kernels(monkeypatch):
    monkeypatch.setattr(catalog, "entries", lambda kind: [])
    monkeypatch.setattr(catalog, "names", lambda kind: [])
    with pytest.raises(MissingDataError, match="no kernel efficiencies for h100-sxm"):
        catalog.kernels("h100-sxm")


def test_exchange_rates_are_dollars_per_unit():
    rates = catalog.usd_per_currency()
    assert rates["USD"] == 1.0
    assert 0.1 < rates["CNY"] < 0.2
    assert rates["HKD"] == pytest.approx(rates["CNY"] / 1.0863, rel=0.01)

"""Logs of incidents: what is read, and what is refused with file and line."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.calibrate.cause_names import cause_of
from myriad.calibrate.incident_log import read_incidents
from myriad.errors import SpecError
from myriad.units import DAY_S


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "incidents.csv"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("name", "cause", "component"),
    [
        ("XID 79", "gpu-lost", "gpu"),
        ("Xid 119, GSP timeout", "gpu", "gpu"),
        ("NVRM: Xid (PCI:0000:1b:00): 48, pid=7, DBE", "hbm-ecc", "hbm"),
        ("xid48", "hbm-ecc", "hbm"),
        ("NVLink error", "nvlink", "nvlink"),
        ("NCCL watchdog timeout", "nccl-timeout", "unknown"),
        ("ECC uncorrectable", "hbm-ecc", "hbm"),
        ("DIMM failure", "host-memory", "memory"),
        ("IB link flap", "link-flap", "optics"),
        ("mlx5 HCA error", "nic", "nic"),
        ("leaf switch down", "switch", "switch"),
        ("PSU", "power", "power"),
        ("NVMe SSD", "disk", "disk"),
        ("Lustre mount lost", "storage", "storage"),
        ("kernel panic", "host", "host"),
        ("CUDA error: illegal memory access", "software", "software"),
        ("silent data corruption", "silent-data-corruption", "gpu"),
        ("GPU fell over", "gpu", "gpu"),
    ],
)
def test_common_names_lead_to_components(name, cause, component):
    assert cause_of(name) == (cause, component, True)


def test_other_names_are_causes_of_their_own():
    assert cause_of("Goblins, rack 7") == ("goblins-rack-7", "unknown", False)
    assert cause_of("施工断电") == ("施工断电", "unknown", False)
    assert cause_of("!!") == ("unnamed", "unknown", False)


def test_dates_durations_and_synonyms(written):
    path = written(
        "node,time,cause,downtime,owner\n"
        "a,2026-01-03T00:00:00,Xid 94,25 min,x\n"
        "b,2026-01-02T00:00:00Z,ECC error,2h,y\n"
        ",2026-01-02T12:00:00+00:00,Goblins,,z\n"
    )
    log = read_incidents(path, 8, days=30)
    assert log.time_s.tolist() == [0.0, 0.5 * DAY_S, DAY_S]
    assert log.causes == ("hbm-ecc", "goblins")
    assert log.names == {"hbm-ecc": ("ECC error", "Xid 94"), "goblins": ("Goblins",)}
    assert (log.components, log.uncommon) == (("hbm", "unknown"), ("goblins",))
    assert (log.node.tolist(), log.nodes) == ([0, -1, 1], ("b", "a"))
    np.testing.assert_equal(log.downtime_s, [7200.0, np.nan, 1500.0])
    assert log.window_s == 30 * DAY_S


def test_a_component_may_be_given(written):
    log = read_incidents(written("time,cause,component\n5,Goblins,cooling\n"), 8, days=1)
    assert (log.components, log.uncommon) == (("cooling",), ())


def test_windows(written):
    path = written("time,cause\n2026-01-02,gpu\n2026-01-05,gpu\n")
    assert read_incidents(path, 8).window_s == 3 * DAY_S
    assert read_incidents(path, 8, days=10, start="2026-01-01").time_s[0] == DAY_S
    seconds = written("time,cause\n100,gpu\n5000,gpu\n")
    assert read_incidents(seconds, 8).window_s == 5000.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "incidents.csv:1: the file is empty"),
        ("time,cause\n", "incidents.csv: a header but no incidents"),
        ("time,node\n", "incidents.csv:1: the column 'cause' is missing"),
        ("time,cause,downtme\n", "incidents.csv:1: unknown column 'downtme'; did you mean 'downtime'?"),
        ("time,cause,cause\n", "incidents.csv:1: the column 'cause' stands twice"),
        ("time,cause\nsoon,gpu\n", "incidents.csv:2: time: expected a time"),
        ("time,cause\n1,gpu\n2,\n", "incidents.csv:3: cause: expected the name of a cause, found nothing"),
        ("time,cause,downtime\n1,gpu,-5\n", "incidents.csv:2: downtime: expected a duration"),
        ("time,cause,component\n1,gpu,heart\n", "incidents.csv:2: component: expected one of gpu, hbm"),
        ("time,cause,speed\n1,slow,120 %\n", "incidents.csv:2: speed: expected a share"),
        ("time,cause\n1,gpu,x\n", "incidents.csv:2: expected 2 cells as in the header, found 3"),
        ("time,cause\n1,gpu\n2026-01-01,gpu\n", "incidents.csv:3: time: a date and seconds in one log"),
        ("time,cause\n1,gpu\n90000,gpu\n", "incidents.csv:3: time: outside of the 1 days"),
        ("time,cause\n-1,gpu\n", "incidents.csv:2: time: outside of the 1 days"),
        ("time,cause,node\n1,gpu,a\n2,gpu,b\n3,gpu,c\n", "incidents.csv:4: node: 'c' is one more than all 2 nodes"),
        ('time,cause\n1,"gpu\n', "incidents.csv:2: not a CSV file"),
    ],
)
def test_wrong_logs(written, text, said):
    with pytest.raises(SpecError) as error:
        read_incidents(written(text), 2, days=1)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_windows_and_files(written, tmp_path):
    once = written("time,cause\n2026-01-02,gpu\n")
    with pytest.raises(SpecError, match="one moment has no rate: give --days"):
        read_incidents(once, 2)
    with pytest.raises(SpecError, match="--start: the log has dates, found '5'"):
        read_incidents(once, 2, days=1, start="5")
    with pytest.raises(SpecError, match="--start: expected a time"):
        read_incidents(once, 2, days=1, start="today")
    with pytest.raises(SpecError, match=r"nowhere\.csv: no such file"):
        read_incidents(tmp_path / "nowhere.csv", 2)
    with pytest.raises(SpecError, match="is a folder"):
        read_incidents(tmp_path, 2)
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"time,cause\n1,\xff\n")
    with pytest.raises(SpecError, match="is not UTF-8 text"):
        read_incidents(bad, 2)

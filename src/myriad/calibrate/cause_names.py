"""What operators call a failure -> which part of the machine it is: XID codes, NCCL, ECC, link flaps and their like."""

from __future__ import annotations

import re
from typing import Final

from myriad.spec.reliability import Component

#: Pattern in the lower-case name -> (name of the cause, component); the first that is found decides.
#: XID codes as NVIDIA's "XID Errors" guide for data-centre GPUs explains them.
COMMON_NAMES: Final[tuple[tuple[str, str, Component], ...]] = (
    (r"silent|\bsdc\b|data corruption", "silent-data-corruption", "gpu"),
    (r"xid\D{0,3}(48|63|64|92|94|95|171|172)\b", "hbm-ecc", "hbm"),
    (r"xid\D{0,3}(74|144|145|146|147|148|149|150)\b", "nvlink", "nvlink"),
    (r"xid\D{0,3}79\b", "gpu-lost", "gpu"),
    (r"xid\D{0,3}(61|62|109|119|120|122|123|140|143)\b", "gpu", "gpu"),
    (r"xid\D{0,3}(8|13|31|32|43|44|45|66|68|69)\b", "program-on-gpu", "software"),
    (r"nvlink|nvswitch|nvlsm|fabric ?manager|\bsxid", "nvlink", "nvlink"),
    (r"nccl.*(timeout|watchdog)|watchdog|collective.*timeout|\bhang\b|\bhung\b|task hang", "nccl-timeout", "unknown"),
    (r"hbm|row.?remap|gpu.*(ecc|memory error)|uncorrectable", "hbm-ecc", "hbm"),
    (r"dimm|dram|(system|host|cpu|main).?(memory|ram)|memory.?(module|stick)", "host-memory", "memory"),
    (r"\becc\b|eccerror", "hbm-ecc", "hbm"),
    (r"fall\w* off the bus|off the bus|gpu.?(lost|drop|missing)", "gpu-lost", "gpu"),
    (r"link.?flap|flapp?ing|port.?flap|optic|transceiver|\bfibre\b|\bfiber\b|\baoc\b", "link-flap", "optics"),
    (r"switch|\btor\b|\bleaf\b|\bspine\b", "switch", "switch"),
    (r"\bnic\b|\bhca\b|mlx5|connectx|infiniband|\bib\b|\broce\b|\brdma\b|network card", "nic", "nic"),
    (r"cable|link.?down", "cable", "optics"),
    (r"pcie|\baer\b|retimer|riser|io expansion", "pcie", "pcie"),
    (r"thermal|overheat|temperature|\bfan\b|cooling|coolant|liquid|\bcdu\b|\bleak", "cooling", "cooling"),
    (r"\bpsu\b|power|\bpdu\b|voltage", "power", "power"),
    (r"\bcpu\b|\bmce\b|machine check", "cpu", "cpu"),
    (r"\bssd\b|nvme|\bdisk\b|hard drive|\bsata\b", "disk", "disk"),
    (r"lustre|gpfs|weka|ceph|\bnfs\b|hdfs|\bs3\b|file.?system|\bstorage\b|checkpoint", "storage", "storage"),
    (r"kernel|\bnode.?(down|fail|crash|lost|unreachable)|\bhost\b|reboot|\bbmc\b|chassis|motherboard|\bos\b",
     "host", "host"),
    (r"\bgpu|\bgsp\b|\bsram\b|\bhardware fault", "gpu", "gpu"),
    (r"software|\bbug\b|cuda|illegal memory|segfault|exception|python|import|config|driver|\boom\b|out of memory",
     "software", "software"),
)  # fmt: skip


def cause_of(name: str) -> tuple[str, Component, bool]:
    """Name and component of a cause as a log calls it, and whether the name is a common one.

    A name that is not common is kept as a cause of its own, of component `unknown`.

    >>> cause_of("Xid 79: GPU has fallen off the bus"), cause_of("NCCL watchdog timeout")
    (('gpu-lost', 'gpu', True), ('nccl-timeout', 'unknown', True))
    >>> cause_of("Goblins in rack 7")
    ('goblins-in-rack-7', 'unknown', False)
    """
    # The kernel's log has the card's address between: `NVRM: Xid (PCI:0000:1b:00): 79, pid=...`.
    text = re.sub(r"\(pci[^)]*\)", "", name.lower().replace("_", " "))
    for pattern, cause, component in COMMON_NAMES:
        if re.search(pattern, text):
            return cause, component, True
    return re.sub(r"[^a-z0-9一-鿿]+", "-", text).strip("-") or "unnamed", "unknown", False

"""All colours of all reports, in one place: pages in light and dark, charts, and the terminal."""

from __future__ import annotations

from typing import Final

#: Part of a step time -> colour. Blues and greens compute, warm colours communicate, greys wait.
TIME_COLOURS: Final = {
    "gemm": "#35699b", "expert_gemm": "#5b97c9", "attention": "#93c1e6", "recurrent": "#5f6fb5",
    "memory_bound": "#2f8f86", "embedding_loss": "#7cc0b4", "recompute": "#8d83c9", "host": "#8794a3",
    "tp_comm": "#b3452c", "cp_comm": "#d9713c", "ep_comm": "#e5a33d", "pp_comm": "#c9849c", "dp_comm": "#94406f",
    "bubble": "#b9c0c8", "optimizer": "#75923f", "overhead": "#a59c84",
}  # fmt: skip

#: What accelerators of a serving engine spend their time on -> colour.
SERVING_COLOURS: Final = TIME_COLOURS | {"head": "#7cc0b4", "prefill": "#8d83c9"}

#: Memory of an accelerator of a serving engine -> colour.
CACHE_COLOURS: Final = {"weights": "#35699b", "work": "#e5a33d", "cache": "#75923f", "spare": "#b9c0c8"}

MEMORY_COLOURS: Final = {
    "weights": "#35699b", "gradients": "#7db1da", "optimizer": "#75923f", "activations": "#e5a33d",
    "logits": "#c9849c", "buffers": "#2f8f86", "reserved": "#8794a3", "fragmentation": "#b9c0c8",
}  # fmt: skip

#: What the time of a cluster's accelerators goes into, many jobs on it -> colour. Blues work, warm colours are lost.
SPENT_COLOURS: Final = {
    "completed": "#35699b", "failed": "#93c1e6", "cancelled": "#5b97c9", "running": "#8d83c9", "lost": "#b3452c",
    "overhead": "#e5a33d", "idle": "#dfe3e6", "out_of_service": "#8794a3",
}  # fmt: skip

#: Kind of a token -> colour.
TOKEN_COLOURS: Final = {"input": "#35699b", "cached": "#93c1e6", "output": "#d9713c"}

#: Kind of an operation -> colour of even and of odd micro-batches, so that neighbours differ.
OPERATION_COLOURS: Final = {
    "forward": ("#5b97c9", "#93c1e6"), "backward": ("#d9713c", "#eba67f"), "weight_gradient": ("#75923f", "#a9c172"),
}  # fmt: skip
TRANSFER_COLOUR: Final = "#8794a3"

#: Where the wall time of a simulated campaign goes -> colour, in the order of the books: what trains, then what costs.
LEDGER_COLOURS: Final = {
    "productive": "#2f8f86", "checkpoint": "#8d83c9", "lost_work": "#b3452c", "detection": "#e5a33d",
    "diagnosis": "#d9713c", "restart": "#35699b", "waiting": "#94406f", "degraded": "#c9849c", "maintenance": "#8794a3",
}  # fmt: skip

#: Series that are no part of a step or of memory: numbers of GPUs in a scatter, gains in bars.
SERIES_COLOURS: Final = ("#35699b", "#d9713c", "#2f8f86", "#94406f", "#e5a33d", "#75923f", "#8d83c9", "#8794a3")
#: A metric from its lowest to its highest value.
HEAT_COLOURS: Final = ("#e9eef2", "#93c1e6", "#35699b", "#1d2f5c")
#: How full a link is, from empty to full, on light ground; on dark ground in the same order of brightness from it.
USE_COLOURS: Final = (
    "#e6ebee", "#d3dfe3", "#f0dfa9", "#f3c76e", "#eea348", "#e07b39", "#c8502f", "#a1302f", "#6b1a34",
)  # fmt: skip
USE_COLOURS_DARK: Final = (
    "#2b353f", "#3a4a57", "#5c3b52", "#8c3a58", "#bb4350", "#dd6a3f", "#f0963c", "#f7c35c", "#fbeeb0",
)  # fmt: skip
GAIN_COLOUR: Final = "#2f8f86"

#: Page colours: custom properties of report.css, and what report.js draws axes and text with.
LIGHT: Final = {
    "paper": "#fcfcfa", "raised": "#ffffff", "sunken": "#f3f4f1", "ink": "#1c2733", "soft": "#5a6672",
    "line": "#dcdfdd", "accent": "#2b5c8a", "good": "#2e7045", "bad": "#a8352a", "warn": "#86610d",
    "good-tint": "#e6f1e8", "bad-tint": "#f9e8e4", "warn-tint": "#f8f0db", "accent-tint": "#e8f0f7",
}  # fmt: skip
DARK: Final = {
    "paper": "#12171d", "raised": "#191f27", "sunken": "#1f2730", "ink": "#e3e8ec", "soft": "#9aa7b4",
    "line": "#323c47", "accent": "#86b9e3", "good": "#86c99b", "bad": "#ee9486", "warn": "#e0bb63",
    "good-tint": "#1c3325", "bad-tint": "#3d221f", "warn-tint": "#38301b", "accent-tint": "#1d3144",
}  # fmt: skip

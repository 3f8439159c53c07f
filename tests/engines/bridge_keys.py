"""Keys of Megatron-Bridge's ConfigContainer, read from its source: importing it needs a GPU's libraries.

python bridge_keys.py flags      prints JSON like `real_parsers.py flags`; megatron-core must be installed beside it
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

SECTIONS = {
    "model": ("GPTModelProvider", "MLATransformerConfig"),
    "ddp": ("DistributedDataParallelConfig",),
    "optimizer": ("OptimizerConfig",),
    "scheduler": ("SchedulerConfig",),
    "train": ("TrainingConfig",),
    "checkpoint": ("CheckpointConfig",),
    "dataset": ("GPTDatasetConfig",),
    "logger": ("LoggerConfig",),
    "rerun_state_machine": ("RerunStateMachineConfig",),
    "tokenizer": ("TokenizerConfig",),
    "dist": ("DistributedInitConfig",),
}
"""Sections of ConfigContainer for a GPT model, and their classes."""
PROPERTIES = {"dataset": ("seq_length",)}
"""What is set beside the fields."""


def classes():
    """Name -> definitions with that name in Megatron-Bridge's configuration and in Megatron-Core."""
    bridge = Path(importlib.metadata.distribution("megatron-bridge").locate_file("megatron/bridge"))
    core = Path(importlib.metadata.distribution("megatron-core").locate_file("megatron/core"))
    paths = [bridge / "training", bridge / "models", core]
    found = {}
    for folder in paths:
        for path in sorted(folder.rglob("*.py")):
            if folder == bridge / "models" and path.parent != folder:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(node)
    return found


def fields(name, known, seen=()):
    """Annotated names of a class and of those that it is made from; `M` before a name is how imports rename them."""
    found = {}
    for node in known.get(name, []):
        for base in node.bases:
            text = ast.unparse(base)
            for parent in (text, text.removeprefix("MCore")):
                if parent not in seen:
                    found |= fields(parent, known, (*seen, name) if parent == name else (*seen, parent))
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                found[line.target.id] = choices(line.annotation)
    return found


def choices(annotation):
    for part in ast.walk(annotation):
        if isinstance(part, ast.Subscript) and ast.unparse(part.value) == "Literal":
            try:
                values = ast.literal_eval(part.slice)
            except ValueError:
                continue
            return sorted(str(value) for value in (values if isinstance(values, tuple) else (values,)))
    return []


def main():
    known, found = classes(), {}
    for section, names in SECTIONS.items():
        keys = {key: of for name in names for key, of in fields(name, known).items()}
        keys |= {key: [] for key in PROPERTIES.get(section, ())}
        for key, allowed in keys.items():
            if not key.startswith("_"):
                found[f"{section}.{key}"] = {"choices": allowed} if allowed else {}
    release = importlib.metadata.version("megatron-bridge")
    json.dump({"engine": "megatron-bridge", "release": release, "flags": dict(sorted(found.items()))}, sys.stdout)


if __name__ == "__main__":
    main()

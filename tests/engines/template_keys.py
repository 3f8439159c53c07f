"""Options that `trtllm-serve` reads from its YAML file, as NVIDIA's own generator writes them.

    python template_keys.py FOLDER RELEASE      prints JSON like `real_parsers.py flags`

FOLDER is that of an unpacked `aiconfigurator`. TensorRT-LLM's own classes need CUDA to be imported and are not on the
index, so this is the nearest published source: the keys that NVIDIA's generator writes for that release, no more.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TEMPLATES = "aiconfigurator/generator/config/backend_templates/trtllm"
DOCUMENTED = ("--host", "--port", "--extra_llm_api_options", "--trust_remote_code")
"""Of the command itself: by its documentation, from general knowledge, not read anew."""


def keys_of(template):
    """Nested keys of a template of YAML, whatever its conditions."""
    tree, open_ = {}, [(-1, {})]
    open_[0] = (-1, tree)
    for line in template.splitlines():
        found = re.match(r"( *)([a-z_]+):", line)
        if found is None:
            continue
        indent = len(found[1])
        while open_[-1][0] >= indent:
            open_.pop()
        open_.append((indent, open_[-1][1].setdefault(found[2], {})))
    return tree


def main():
    folder, release = sys.argv[1:]
    template = Path(folder, TEMPLATES, f"extra_engine_args.{release}.yaml.j2").read_text("utf-8")
    flags = {name: {} for name in DOCUMENTED}
    flags["--trust_remote_code"] = {"takes": "nothing"}
    flags["--port"] = {"takes": "int"}
    flags["--extra_llm_api_options"] = {
        "keys": {name: {"keys": below} if below else {} for name, below in _nested(keys_of(template)).items()}
    }
    json.dump({"engine": "tensorrt-llm", "release": release, "flags": dict(sorted(flags.items()))}, sys.stdout)


def _nested(tree):
    return {name: {key: {} for key in below} for name, below in sorted(tree.items())}


if __name__ == "__main__":
    main()

"""Makes an environment for each engine of releases.txt, with its argument parser and what that imports; no kernels.

    python tests/engines/install.py FOLDER [ENGINE ...]

vLLM is built without kernels (`VLLM_TARGET_DEVICE=empty`); SGLang and the routers are installed without what they
require, and then what their parsers import. MYRIAD_TORCH names a CPU build of torch (a requirement or a file); plain
`torch` brings gigabytes of CUDA libraries along. What is there already is left as it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
TORCH = os.environ.get("MYRIAD_TORCH", "torch")
TOOLS = ["setuptools", "wheel", "setuptools-scm", "setuptools-rust", "jinja2", "packaging", "cmake", "ninja"]
KERNELS = re.compile(
    r"(torch|torchvision|torchaudio|opencv|ray|xgrammar|numba|flashinfer|nvidia|cuda|tilelang|quack|humming|fastsafetensors|certifi)\b",
    re.I,
)
"""Requirements of vLLM that its parser does without, or that are replaced below."""
SGLANG = [
    "IPython", "aiohttp", "compressed-tensors", "dill", "einops", "fastapi", "gguf", "huggingface_hub", "interegular",
    "llguidance", "modelscope", "msgspec", "numpy", "nvidia-ml-py", "openai-harmony==0.0.4", "openai==2.6.1", "orjson",
    "packaging", "partial_json_parser", "pillow", "prometheus-client", "psutil", "pybase64", "pydantic",
    "python-multipart", "pyzmq", "requests", "sentencepiece", "setproctitle", "setuptools", "tiktoken", "tqdm",
    "triton", "uvicorn", "uvloop", "watchfiles",
]  # fmt: skip
TRANSFORMERS = {"0.5.9": "transformers==4.57.1"}
"""For releases of SGLang before version 5 of it."""


def run(*words: str | Path, **environment: str) -> None:
    subprocess.run([UV, "-q", *words], check=True, env=os.environ | environment, timeout=900)


def vllm(folder: Path, release: str) -> None:
    into = ("pip", "install", "--python", folder / "bin" / "python")
    run(*into, TORCH, *TOOLS)
    bare = ("--no-build-isolation", "--no-deps", "--no-binary", "vllm")
    run(*into, *bare, f"vllm=={release}", VLLM_TARGET_DEVICE="empty")
    (metadata,) = folder.glob("lib/python*/site-packages/vllm-*.dist-info/METADATA")
    wanted = re.findall(r"^Requires-Dist: (.*)$", metadata.read_text("utf-8"), re.MULTILINE)
    run(*into, TORCH, *(one for one in wanted if "extra ==" not in one and not KERNELS.match(one)))
    run(*into, "--no-deps", "xgrammar", "apache-tvm-ffi")


def sglang(folder: Path, release: str) -> None:
    into = ("pip", "install", "--python", folder / "bin" / "python")
    run(*into, TORCH, TRANSFORMERS.get(release, "transformers==5.6.0"), *SGLANG)
    run(*into, "--no-deps", f"sglang=={release}")


def main() -> None:
    base, *engines = sys.argv[1:]
    rows = [line.split() for line in Path(__file__).with_name("releases.txt").read_text("utf-8").splitlines()]
    done = set()
    for engine, release, environment in rows:
        folder = Path(base, environment).resolve()
        if (engines and engine not in engines) or (folder.exists() and environment not in done):
            continue
        if engine == "tensorrt-llm":
            run("pip", "install", "--no-deps", "--target", folder, "aiconfigurator==0.12.0")
        else:
            if environment not in done:
                run("venv", "--python", sys.executable, folder)
            if engine in ("vllm", "sglang"):
                (vllm if engine == "vllm" else sglang)(folder, release)
            else:
                run("pip", "install", "--python", folder / "bin" / "python", "--no-deps", f"{engine}=={release}")
        done.add(environment)
        sys.stdout.write(f"{engine} {release}: {folder}\n")


if __name__ == "__main__":
    main()

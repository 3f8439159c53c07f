"""Makes an environment for each engine of releases.txt, with its argument parser and what that imports; no kernels.

    python tests/engines/install.py FOLDER [ENGINE ...]

vLLM is built without kernels (`VLLM_TARGET_DEVICE=empty`); SGLang and the routers are installed without what they
require, and then what their parsers import. Of training frameworks the whole is installed, but Megatron-Bridge, whose
source is read. MYRIAD_TORCH names a CPU build of torch, as TORCH does in the Makefile: a requirement or a file, with
the option that names an index where one is needed; plain `torch` brings gigabytes of CUDA libraries along. What is
there already is left as it is.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
TORCH = shlex.split(os.environ.get("MYRIAD_TORCH", "torch"))
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
    run(*into, *TOOLS)
    bare = ("--no-build-isolation", "--no-deps", "--no-binary", "vllm")
    run(*into, *bare, f"vllm=={release}", VLLM_TARGET_DEVICE="empty")
    (metadata,) = folder.glob("lib/python*/site-packages/vllm-*.dist-info/METADATA")
    wanted = re.findall(r"^Requires-Dist: (.*)$", metadata.read_text("utf-8"), re.MULTILINE)
    run(*into, *(one for one in wanted if "extra ==" not in one and not KERNELS.match(one)))
    run(*into, "--no-deps", "xgrammar", "apache-tvm-ffi")


def sglang(folder: Path, release: str) -> None:
    into = ("pip", "install", "--python", folder / "bin" / "python")
    run(*into, TRANSFORMERS.get(release, "transformers==5.6.0"), *SGLANG)
    run(*into, "--no-deps", f"sglang=={release}")


def megatron(folder: Path, release: str) -> None:
    run("pip", "install", "--python", folder / "bin" / "python", f"megatron-core=={release}")


def torchtitan(folder: Path, release: str) -> None:
    # Triton's language is imported by its kernels, none of which runs.
    run("pip", "install", "--python", folder / "bin" / "python", "triton", f"torchtitan=={release}")


def deepspeed(folder: Path, release: str) -> None:
    into = ("pip", "install", "--python", folder / "bin" / "python")
    run(*into, *TOOLS, "einops", "hjson", "msgpack", "numpy", "psutil", "py-cpuinfo", "pydantic", "tqdm")
    run(*into, "--no-build-isolation", "--no-deps", f"deepspeed=={release}", DS_BUILD_OPS="0")


MAKERS = {"vllm": vllm, "sglang": sglang, "megatron-lm": megatron, "torchtitan": torchtitan, "deepspeed": deepspeed}
"""What installs an engine; the others come alone, beside those."""


def make(engine: str, release: str, folder: Path, *, is_new: bool) -> None:
    if engine == "tensorrt-llm":
        run("pip", "install", "--no-deps", "--target", folder, "aiconfigurator==0.12.0")
        return
    if is_new:
        run("venv", "--python", sys.executable, folder)
    into = ("pip", "install", "--python", folder / "bin" / "python")
    if engine in MAKERS:
        # Alone: the index that has it may have nothing else. What comes later finds it installed.
        run(*into, *TORCH)
        MAKERS[engine](folder, release)
    else:
        run(*into, "--no-deps", f"{engine}=={release}")


def main() -> None:
    base, *engines = sys.argv[1:]
    rows = [line.split() for line in Path(__file__).with_name("releases.txt").read_text("utf-8").splitlines()]
    done = set()
    for engine, release, environment in rows:
        folder = Path(base, environment).resolve()
        if (engines and engine not in engines) or (folder.exists() and environment not in done):
            continue
        try:
            make(engine, release, folder, is_new=environment not in done)
        except (subprocess.SubprocessError, KeyboardInterrupt):
            shutil.rmtree(folder, ignore_errors=True)  # a half would be taken for the whole next time
            raise
        done.add(environment)
        sys.stdout.write(f"{engine} {release}: {folder}\n")


if __name__ == "__main__":
    main()

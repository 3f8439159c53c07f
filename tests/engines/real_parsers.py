"""The argument parsers of serving engines themselves, run where no GPU is. Needs the engine, and nothing of Myriad.

    python real_parsers.py flags ENGINE            prints the flags that its parser knows, as JSON
    python real_parsers.py accept ENGINE < LINES   reads one JSON list of arguments a line; prints for each `null`, or
                                                   why the parser refused it

ENGINE is `vllm`, `sglang`, `vllm-router` or `sglang-router`. What runs is the code that parses the command line of a
server. The only things put in its place are libraries that read pictures, and, for vLLM, which kind of device is there.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.abc
import importlib.machinery
import importlib.metadata
import io
import json
import sys
import types
import typing
from unittest.mock import MagicMock

ABSENT = ("torchvision",)
"""Imported beside SGLang's parser, and used for pictures alone."""


class _Absent(types.ModuleType):
    __path__: typing.ClassVar[list[str]] = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=f"{self.__name__}.{name}")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        known = name.partition(".")[0] in ABSENT
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        return _Absent(spec.name)

    def exec_module(self, module):
        pass


def _vllm():
    """The parser of `vllm serve`, and the classes behind its options that take JSON."""
    import vllm.platforms
    from vllm.platforms.cpu import CpuPlatform

    vllm.platforms._current_platform = CpuPlatform()  # a build without kernels finds no device of its own
    try:
        from vllm.entrypoints.openai.cli_args import make_arg_parser
    except ImportError:
        from vllm.entrypoints.common.cli_args import make_arg_parser
    from vllm.config import KVTransferConfig, SpeculativeConfig
    from vllm.distributed.kv_transfer.kv_connector.factory import KVConnectorFactory
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    keys = {"--speculative-config": _keys(SpeculativeConfig), "--kv-transfer-config": _keys(KVTransferConfig)}
    keys["--kv-transfer-config"]["kv_connector"] = {"choices": sorted(KVConnectorFactory._registry)}
    return parser, keys


def _sglang():
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser(prog="sglang.launch_server")
    ServerArgs.add_cli_args(parser)
    return parser, {}


def _vllm_router():
    from vllm_router.router_args import RouterArgs

    return _router(RouterArgs)


def _sglang_router():
    from sglang_router.router_args import RouterArgs

    return _router(RouterArgs)


def _router(router_args):
    parser = argparse.ArgumentParser(prog="router", allow_abbrev=False)
    router_args.add_cli_args(parser, use_router_prefix=False)
    return parser, {}


PARSERS = {"vllm": _vllm, "sglang": _sglang, "vllm-router": _vllm_router, "sglang-router": _sglang_router}


def _keys(config):
    """Fields of a configuration class, and the values that each may have where those are listed."""
    hints = typing.get_type_hints(config, globalns=_names_of(config))
    return {
        field.name: {"choices": sorted(found)} if (found := _literals(hints.get(field.name))) else {}
        for field in dataclasses.fields(config)
    }


def _names_of(config):
    return vars(sys.modules[config.__module__])


def _literals(hint):
    if typing.get_origin(hint) is typing.Literal:
        return {str(value) for value in typing.get_args(hint)}
    return set().union(*(_literals(part) for part in typing.get_args(hint))) if typing.get_args(hint) else set()


def flags(parser, keys):
    """Each flag by its longest name: other names, whether it takes a value, of which kind, and which are allowed."""
    found = {}
    for action in parser._actions:
        long = [name for name in action.option_strings if name.startswith("--") and name != "--help"]
        if not long:
            continue
        name, *aliases = sorted(long, key=lambda one: (one.startswith("--no-"), -len(one)))
        entry = {"aliases": sorted(aliases)} if aliases else {}
        if action.nargs == 0:
            entry["takes"] = "nothing"
        elif action.choices is not None:
            entry["choices"] = sorted({str(choice) for choice in action.choices})
        elif action.type in (int, float):
            entry["takes"] = action.type.__name__
        if name in keys:
            entry["keys"] = keys[name]
        found[name] = entry
    return dict(sorted(found.items()))


def refusal(parser, arguments):
    """Why the parser refuses, in its own words; nothing where it accepts."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(arguments)
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1][:500]
    except Exception as error:  # noqa: BLE001  # whatever it raises is a refusal
        return f"{type(error).__name__}: {error}"[:500]
    return None


def main():
    verb, engine = sys.argv[1:]
    if engine == "sglang":
        sys.meta_path.append(_Finder())
    with contextlib.redirect_stdout(sys.stderr):
        parser, keys = PARSERS[engine]()
    if verb == "flags":
        release = importlib.metadata.version(engine).partition("+")[0]
        json.dump({"engine": engine, "release": release, "flags": flags(parser, keys)}, sys.stdout)
        return
    for line in sys.stdin:
        sys.stdout.write(json.dumps(refusal(parser, json.loads(line))) + "\n")


if __name__ == "__main__":
    main()

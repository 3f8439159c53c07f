"""Wrong use of the command line in one line: what was found, what is near."""

from __future__ import annotations

from typing import Any, Final

import typer

from myriad.errors import unknown_name

UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""Base of all errors in flags and arguments. Typer carries a click of its own or uses the installed one."""


def usage_text(error: Any) -> str:
    """The line for a usage error."""
    command = getattr(error.ctx, "command", None)
    flags = [
        flag for parameter in getattr(command, "params", ()) for flag in (*parameter.opts, *parameter.secondary_opts)
    ]
    match type(error).__name__:
        case "NoSuchOption":
            options = [flag for flag in (*flags, "--help") if flag.startswith("--")]
            return unknown_name("option", error.option_name, options)
        case "BadOptionUsage":
            return f"{error.option_name}: expected a value"
        case "MissingParameter":
            return f"{_flag(error.param)}: is missing"
        case "BadParameter" if error.param is not None:
            return f"{_flag(error.param)}: {_lower(error.message)}"
    return _lower(error.format_message())


def _flag(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].removesuffix(".")

"""Options that several commands share, and how their text becomes values: as in a file, by the same descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from myriad.cli import completion
from myriad.errors import InfeasibleError, MissingDataError, SpecError

if TYPE_CHECKING:
    from myriad.spec.base import Spec
    from myriad.spec.cluster import Cluster
    from myriad.spec.job import TrainingWork
    from myriad.spec.model import Model
    from myriad.spec.result import Plan

    SpecT = TypeVar("SpecT", bound=Spec)

MODEL: Any = typer.Option("--model", metavar="NAME", help="Model of the catalog.", autocompletion=completion.models)
CLUSTER: Any = typer.Option(
    "--cluster",
    metavar="NAME:COUNT",
    help="Accelerator or node, and how many accelerators: h800:16384, gb200-nvl72:576.",
    autocompletion=completion.clusters,
)
FABRIC: Any = typer.Option(
    "--fabric",
    metavar="NAME|FILE",
    help="Network between the hosts: a fabric of the catalog, or one in YAML (default: full bandwidth to all).",
    autocompletion=completion.fabrics,
)
SEQ_LEN: Any = typer.Option("--seq-len", metavar="COUNT", help="Tokens per sequence: 4096 or 4k (4,000).")
GLOBAL_BATCH: Any = typer.Option("--global-batch", metavar="COUNT", help="Sequences per optimizer step.")

ModelName = Annotated[str, MODEL]
ClusterName = Annotated[str, CLUSTER]
FabricName = Annotated[str | None, FABRIC]
SequenceLength = Annotated[str, SEQ_LEN]
GlobalBatch = Annotated[str, GLOBAL_BATCH]
PrecisionName = Annotated[
    str | None,
    typer.Option("--precision", metavar="NAME", help="bf16 (default), fp16, fp8, fp8-block, mxfp8, nvfp4, tf32, fp32."),
]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="Training software of the catalog, or one release: nemo@25.02 (default megatron-core).",
        autocompletion=completion.stacks,
    ),
]
Switches = Annotated[
    str | None,
    typer.Option(
        "--switches",
        metavar="NAMES",
        help="What of the software is turned on: compile, graph-step, overlap-experts, ... (default nothing).",
    ),
]
Imbalance = Annotated[
    str | None,
    typer.Option(
        "--expert-imbalance", metavar="RATIO", help="Tokens of the busiest expert rank over the mean (default 1)."
    ),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE|-", help="Write the whole result as JSON; - prints it alone.")
]
LanguageCode = Annotated[str, typer.Option("--lang", metavar="en|zh", help="Language of what people read.")]


def flag_of(field: str) -> str:
    """The option that sets a field of a description.

    >>> flag_of("micro_batch")
    '--micro-batch'
    """
    return "--" + field.replace("_", "-")


def read_flags(spec_class: type[SpecT], values: Mapping[str, Any]) -> SpecT:
    """The description with these fields. Raises SpecError that names the option of the first wrong one."""
    from pydantic import ValidationError

    from myriad.catalog.reading import problem_text

    try:
        return spec_class.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        text = problem_text(problem, spec_class).replace("found text ", "found ")
        # A check of several fields begins with the name of the one at fault.
        field = str(problem["loc"][0]) if problem["loc"] else text.split()[0].partition("=")[0].rstrip(":")
        raise SpecError(f"{flag_of(field)}: {text}") from None


def read_flag(flag: str, text: str, quantity: Any) -> Any:
    """The value of one option as a quantity of `spec.base`, such as `Count` or `Seconds`."""
    from pydantic import TypeAdapter, ValidationError

    from myriad.catalog.reading import problem_text
    from myriad.spec.base import Spec

    try:
        return TypeAdapter(quantity).validate_python(text)
    except ValidationError as error:
        text = problem_text(error.errors(include_url=False)[0], Spec).replace("found text ", "found ")
        raise SpecError(f"{flag}: {text}") from None


@contextmanager
def at(flag: str) -> Iterator[None]:
    """Names the option that an error from below comes from."""
    try:
        yield
    except (SpecError, MissingDataError) as error:
        raise type(error)(f"{flag}: {error}") from None


def read_job(given: Mapping[str, Any]) -> tuple[Model, Cluster, TrainingWork]:
    """Model, cluster and work that the options describe. Raises SpecError or MissingDataError that names the option."""
    from myriad import catalog
    from myriad.api.training import setting_of
    from myriad.spec.job import TrainingWork

    values = {name: given[name] for name in TrainingWork.model_fields if name in given}
    if "switches" in values:
        values["switches"] = [name.strip() for name in values["switches"].split(",")]
    work = read_flags(TrainingWork, values)
    with at("--model"):
        model = catalog.model(given["model"])
    cluster = read_cluster(given["cluster"], given.get("fabric"))
    with at("--stack"):
        catalog.stack(work.stack)
    with at("--precision"):
        setting_of(model, cluster, work)
    return model, cluster, work


def read_cluster(name: str, fabric: str | None = None, flag: str = "--cluster") -> Cluster:
    """The cluster that is named, on the fabric that is. Raises errors that name the option at fault."""
    from myriad import catalog
    from myriad.api.clusters import on_fabric
    from myriad.api.fabric import fabric_of

    with at(flag):
        found = catalog.cluster(name)
    if fabric is None:
        return found
    with at("--fabric"):
        try:
            return on_fabric(found, catalog.counted_node(name)[0], fabric_of(fabric))
        except InfeasibleError as error:
            raise InfeasibleError(f"--fabric: {error}") from None


def plan_file(path: Path | None) -> Plan | None:
    """The plan of a file that `myriad plan --json` wrote, or none. Raises SpecError that names the file."""
    if path is None:
        return None
    from myriad.api.training_launch import read_plan

    with at("--plan"):
        return read_plan(path)


def check_language(code: str) -> str:
    """The language code. Raises SpecError if there is no such language."""
    from myriad.report.language import LANGUAGES

    if code not in LANGUAGES:
        from myriad.errors import unknown_name

        raise SpecError(f"--lang: {unknown_name('language', code, LANGUAGES)}")
    return code


SUBJECTS = ("file", "row", "model")
"""What a command may be about, by the parameters that name it."""


def one_subject(given: Mapping[str, Any], allowed: tuple[str, ...]) -> str:
    """The one of the allowed subjects that is given. Raises SpecError unless there is exactly one."""
    subjects = [name for name in allowed if name in given]
    if len(subjects) != 1:
        *others, last = (_shown(name) for name in allowed)
        found = " and ".join(_shown(name) for name in subjects) or "none of them"
        raise SpecError(f"expected one of {', '.join(others)} and {last}, found {found}")
    return subjects[0]


def check_belongs(given: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raises SpecError for the first option that does not go with the subject."""
    known = set(allowed)
    for name in given:
        if name not in known:
            subject = next(_shown(one) for one in SUBJECTS if one in given)
            raise SpecError(f"{_shown(name)}: does not go with {subject}")


def _shown(name: str) -> str:
    return "FILE" if name == "file" else flag_of(name)

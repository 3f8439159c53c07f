"""`torchrun --nproc-per-node N -m myriad.trainer CONFIG.json`; a single rank needs no torchrun."""

from __future__ import annotations

import time

STARTED_S = time.monotonic()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402

from myriad.catalog.reading import read_spec  # noqa: E402
from myriad.errors import MissingDataError, MyriadError, SpecError  # noqa: E402
from myriad.processes import keep_freed_memory, leave  # noqa: E402
from myriad.spec.trainer import TrainerConfig  # noqa: E402

HELP = """\
usage: torchrun --nproc-per-node N -m myriad.trainer CONFIG
       python -m myriad.trainer CONFIG        (one rank)

Trains what CONFIG says, a JSON or YAML file: model, layout, seq_len, global_batch, steps, folder, and more
(docs/trainer.md, examples/trainer.json). Goes on from the newest whole checkpoint in its folder.

exit code 0: all steps are done and saved      143: ended by SIGTERM, and saved
          2: cannot run, one line says why       1: the last step could not be saved, or a rank failed
"""


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The exit code, see HELP. Each node says once why it cannot run: not all of them may see what is wrong."""
    if arguments in (["--help"], ["-h"]):
        print(HELP, end="")  # noqa: T201
        return 0
    try:
        if len(arguments) != 1:
            raise SpecError("expected one argument, the file with the trainer's configuration; --help says more")
        return _train(read_spec(arguments[0], TrainerConfig), environment)
    except MyriadError as error:
        if environment.get("LOCAL_RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _train(config: TrainerConfig, environment: Mapping[str, str]) -> int:
    try:
        import torch.distributed as dist
    except ImportError:
        raise MissingDataError("the package torch is not installed: pip install 'myriad-ai[train]'") from None

    from myriad.trainer import parallel
    from myriad.trainer.data import open_text
    from myriad.trainer.events import EventLog, life
    from myriad.trainer.loop import Loop
    from myriad.trainer.refusals import refuse

    config = parallel.placed(config, environment)
    refuse(config)
    text = open_text(config.data.text, config.seq_len, config.data.seed)
    rank = int(environment.get("RANK", "0"))
    with EventLog(Path(config.folder), life(environment), rank) as events:
        parallel.set_deterministic(config)
        place = parallel.join(config, environment)
        code = Loop(config, place, text, events).run(STARTED_S)
    dist.destroy_process_group()
    return code


if __name__ == "__main__":
    keep_freed_memory()
    leave(main(sys.argv[1:], os.environ))

"""`certune multicast`: MSCCL++ plans over switch channels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from certune.cli.guard import guarded


@guarded
def multicast(
    collective: Annotated[str, typer.Argument(help="allreduce or allgather.")],
    ranks: Annotated[int, typer.Option("--ranks", "-n", help="Ranks behind one NVSwitch.")] = 8,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output if not given.")
    ] = None,
) -> None:
    """Write an MSCCL++ plan that adds or stores at all ranks at once, verified as written.

    It uses the multicast of NVSwitch (NVLS), which no schedule of sends can say. Example:

      certune multicast allreduce --ranks 8 -o nvls.json
    """
    from certune.core.errors import Crashed, InvalidInput
    from certune.tasks.collective.mscclpp.multicast import multicast as plan_of
    from certune.tasks.collective.mscclpp.verify import verify_plan
    from certune.tasks.collective.mscclpp.write import dump_plan

    data = dump_plan(plan_of(collective, ranks))
    if not verify_plan(data).verdict.met:
        raise Crashed("what was written is not right: this is a defect of certune")
    if output is None:
        sys.stdout.buffer.write(data + b"\n")
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", place=str(output)) from None

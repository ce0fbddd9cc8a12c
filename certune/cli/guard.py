"""What every command shares: exit codes, errors in words, where the project is."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from certune.core.errors import CertuneError

P = ParamSpec("P")

ACCEPTED = 0
REFUSED = 1
USAGE = 2
INFRASTRUCTURE = 3
INTERRUPTED = 130

Project = Annotated[
    Path,
    typer.Option(
        "--project",
        help="The folder whose .certune holds the ledger and the accepted files.",
        envvar="CERTUNE_PROJECT",
        show_default=True,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

PROJECT = Path(".")


def plain(text: str) -> str:
    """Text from elsewhere as one line without control characters, which terminals obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def fail(message: str) -> None:
    """Say an error on standard error."""
    print(f"certune: {plain(message)}", file=sys.stderr)  # noqa: T201


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line and an exit code; nothing ends in a traceback.

    ``CERTUNE_DEBUG=1`` lets unexpected exceptions through, for those who mend certune.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except CertuneError as error:
            fail(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            fail("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(INFRASTRUCTURE) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if os.environ.get("CERTUNE_DEBUG") == "1":
                raise
            fail(
                f"internal error: {type(error).__name__}: {error}; this is a defect of certune "
                "(CERTUNE_DEBUG=1 shows where)"
            )
            raise typer.Exit(INFRASTRUCTURE) from None

    return run


def read_file(path: Path, what: str, limit: int = 256 * 2**20) -> bytes:
    """The bytes of a file that the user named.

    Raises:
        InvalidInput: it cannot be read, is no regular file, or is larger than `limit` bytes.
    """
    from certune.core.errors import InvalidInput

    try:
        if not path.is_file():
            raise InvalidInput(f"there is no {what} here", place=str(path))
        if path.stat().st_size > limit:
            raise InvalidInput(f"larger than {limit} bytes", place=str(path))
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"cannot be read: {reason}", place=str(path)) from None

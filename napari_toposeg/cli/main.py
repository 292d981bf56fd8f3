"""From arguments to an exit code."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tyro

from napari_toposeg.cli.barcode import barcode
from napari_toposeg.cli.commands import betti, certify, open_application, priors
from napari_toposeg.cli.demo import demo
from napari_toposeg.cli.evaluate import evaluate
from napari_toposeg.cli.models import models
from napari_toposeg.cli.refine import refine
from napari_toposeg.cli.running import Interrupted
from napari_toposeg.cli.segment import segment
from napari_toposeg.cli.train import train
from napari_toposeg.errors import ToposegError, ToposegWarning

DONE, OTHER_TOPOLOGY, BAD_INPUT, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes. 130 is what a shell expects of a command that Ctrl-C ended."""

_DESCRIPTION = """Topology-preserving segmentation of medical images.

`toposeg demo` shows what it does; `toposeg segment --help` says how.
`toposeg --version` says the version. With --debug (or TOPOSEG_DEBUG=1) an
error shows where in the program it came from.

Exit codes:
  0  done and certified
  1  done, but the topology is not the prior's
  2  the input, or the command, cannot be used
  3  a defect of the program
  130  stopped by Ctrl-C; nothing half-written is left"""

_COMMANDS: dict[str, Any] = {
    "segment": segment,
    "betti": betti,
    "certify": certify,
    "barcode": barcode,
    "refine": refine,
    "evaluate": evaluate,
    "train": train,
    "priors": priors,
    "models": models,
    "open": open_application,
    "demo": demo,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `toposeg` on the command line. Default: ``sys.argv[1:]``.

    Returns
    -------
    int
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("TOPOSEG_DEBUG", "") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    if words == ["--version"]:
        from napari_toposeg import __version__

        print(f"toposeg {__version__}")
        return DONE
    try:
        with _plain_warnings():
            return _run(words or ["--help"])
    except ToposegError as error:
        return _end(f"toposeg: {error}", BAD_INPUT, debug)
    except Interrupted as stopped:
        return _end(f"toposeg: {stopped}", INTERRUPTED, debug=False)
    except KeyboardInterrupt:
        return _end("toposeg: Stopped at once by Ctrl-C. Nothing half-written is left.", INTERRUPTED, debug=False)
    except BrokenPipeError:
        # `toposeg priors | head`: whoever read has had enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001  the outermost frame: whatever is not the user's doing is a defect
        said = " ".join(str(error).split())
        hint = "" if debug else " Run it again with --debug to see where."
        return _end(
            f"toposeg: It failed with {type(error).__name__}: {said}. This is a defect; please report it.{hint}",
            FAILED,
            debug,
        )


def _run(words: list[str]) -> int:
    try:
        code: Any = tyro.extras.subcommand_cli_from_dict(
            _COMMANDS,
            prog="toposeg",
            description=_DESCRIPTION,
            args=words,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.HelptextFromCommentsOff),
        )
    except SystemExit as left:
        # tyro has shown the help (0) or said what is wrong with the arguments (2).
        return left.code if isinstance(left.code, int) else BAD_INPUT
    return int(code)


def _end(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(message, file=sys.stderr)
    return code


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show our own warnings as one plain line, each as often as it is given."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, ToposegWarning):
                from napari_toposeg.cli.running import say

                say(f"Note: {message}")
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        warnings.simplefilter("always", ToposegWarning)
        yield

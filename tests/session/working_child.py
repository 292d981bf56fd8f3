"""A process that works on a session until it is killed; `test_autosave.py` starts it.

For each line of its input, which is the number of a seed, it forks a process that works, and prints that one's number.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session, autosave


def fingerprint(state: Mapping[str, Any]) -> str:
    """What a session is, of `state_of` it: prompts, placement, the names of all changes, and the mask to the voxel."""
    digest = hashlib.sha256()
    placing, mask, history = state["placing"], state["mask"], state["history"]
    digest.update(repr([(mark.points, mark.include) for mark in state["marks"]]).encode())
    digest.update(repr((placing.prior and placing.prior.name, placing.change.tolist())).encode())
    digest.update(repr(([one.name for one in history["changes"]], history["position"])).encode())
    digest.update(repr(mask["standing"]).encode())
    if mask["result"] is not None:
        whole = mask["result"].full_mask()
        if mask["edited"] is not None:
            whole[:] = False
            whole[box_slices(mask["reach"])] = mask["edited"]
        digest.update(np.packbits(whole).tobytes())
        digest.update(mask["result"].displacement.values.tobytes())
    return digest.hexdigest()


def begun(image: Path) -> Session:
    """A session in which a run may begin."""
    session = Session()
    session.settings = Settings(iterations=10)
    session.network = "none"
    volume = session.open(image)
    session.choose_prior("annulus")
    session.place_in_box(box_of(volume.voxels > volume.voxels.mean()))
    return session


def work(seed: int, image: Path, folder: Path, log: Path) -> None:
    """Do random things for ever, and write down what is kept, before it is written and after."""
    stream = log.open("a", buffering=1)
    write = autosave.write_session

    def written_down(state: Mapping[str, Any], path: Path, **more: Any) -> None:
        stream.write(f"writing {fingerprint(state)}\n")
        write(state, path, **more)
        stream.write(f"written {fingerprint(state)}\n")

    autosave.write_session = written_down
    chance = random.Random(seed)
    session = begun(image)
    session.start_autosave(folder, every=0.05)
    session.run()
    session.wait()
    stream.write("at work\n")
    while True:
        what = chance.randrange(8)
        if what == 0:
            session.run()
            session.wait()
        elif what <= 2:
            session.prompts.add(
                [chance.uniform(0, size - 1) for size in session.volume.shape], include=chance.random() < 0.5
            )
        elif what == 3:
            session.move_placement((chance.uniform(-1, 1), chance.uniform(-1, 1)))
        elif what == 4 and session.history.position > 4:
            session.history.undo()
        elif what == 5 and session.history.position < len(session.history.names):
            session.history.redo()
        else:
            session.edit(np.roll(session.mask, chance.choice((-1, 1)), axis=chance.randrange(2)))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    image, folder, log = map(Path, sys.argv[1:4])
    # What takes seconds is done once, before the first fork: a run, and all that it compiles and imports.
    session = begun(image)
    session.run()
    session.wait()
    session.close()
    say("ready")
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            work(int(line), image, folder, log)
        say(str(process))
        os.waitpid(process, 0)
        say("gone")


if __name__ == "__main__":
    main()

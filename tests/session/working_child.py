"""A process that goes through a radiologist's story until it is killed; `test_autosave.py` starts it.

For each line of its input, which is the number of a seed, it forks a process that works, and prints that one's number.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping
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
    if placing.site is not None:
        digest.update(placing.site.placement.matrix.tobytes())
    digest.update(repr(([one.name for one in history["changes"]], history["position"])).encode())
    digest.update(repr((mask["standing"], state["settings"], state["network"])).encode())
    if mask["result"] is not None:
        whole = mask["result"].full_mask()
        if mask["edited"] is not None:
            whole[:] = False
            whole[box_slices(mask["reach"])] = mask["edited"]
        digest.update(np.packbits(whole).tobytes())
        digest.update(mask["result"].displacement.values.tobytes())
    return digest.hexdigest()


def opened(image: Path) -> Session:
    """A session in which nothing is done yet."""
    session = Session()
    session.settings = Settings(iterations=10, refine_iterations=10)
    session.network = "none"
    session.open(image)
    session.choose_prior("torus")
    return session


def steps(session: Session, chance: random.Random, folder: Path) -> Iterator[str]:
    """The story, a step at a time: each is done before its name is given."""
    voxels = session.volume.voxels
    box = box_of(voxels > voxels.mean() + voxels.std())
    session.place_in_box(tuple((max(low - chance.randrange(2), 0), high) for low, high in box))
    yield "placed"
    session.run()
    session.wait()
    yield "run"
    for _ in range(2):
        session.prompts.add(chance.choice(np.argwhere(session.mask).tolist()), include=False)
        yield "excluded"
    session.follow_prompts()
    session.wait()
    yield "followed"
    for number in range(4):
        session.brush.radius = chance.uniform(0.0, 3.0)
        start = np.array(chance.choice(np.argwhere(session.mask).tolist()))
        # Across the second axis: on the coronal view.
        stroke = session.brush.begin(erase=bool(number % 2), axis=1)
        for _ in range(5):
            end = start + np.array([chance.randint(-2, 2), 0, chance.randint(-2, 2)])
            stroke.draw([start, end])
            start = end
        stroke.end()
        yield "painted"
    for _ in range(chance.randint(1, 3)):
        session.history.undo()
        yield "undone"
    session.history.redo()
    yield "redone"
    session.accept()
    yield "accepted"
    session.save(folder / "mask.seg.dcm")
    session.save(folder / "mask.nii.gz")
    yield "saved"
    session.prompts.clear()
    yield "cleared"


def work(seed: int, image: Path, folder: Path, log: Path) -> None:
    """Go through the story again and again, and write down what is kept, before it is written and after."""
    stream = log.open("a", buffering=1)
    write = autosave.write_session

    def written_down(state: Mapping[str, Any], path: Path, **more: Any) -> None:
        stream.write(f"writing {fingerprint(state)}\n")
        write(state, path, **more)
        stream.write(f"written {fingerprint(state)}\n")

    autosave.write_session = written_down
    chance = random.Random(seed)
    session = opened(image)
    session.start_autosave(folder, every=0.05)
    stream.write("at work\n")
    while True:
        for done in steps(session, chance, log.parent):
            stream.write(f"done {done}\n")
            time.sleep(chance.uniform(0.0, 0.15))  # a hand takes its time, and is killed in between


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    image, folder, log = map(Path, sys.argv[1:4])
    # What takes seconds is done once, before the first fork: the whole story, and all that it compiles and imports.
    session = opened(image)
    for _ in steps(session, random.Random(0), log.parent):
        pass
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

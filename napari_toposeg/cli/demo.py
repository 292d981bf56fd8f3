"""`toposeg demo`: make an image whose answer is known, segment it, and show how well that went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from napari_toposeg.cli.arguments import Where, check_folder
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of, grow_box


def demo(
    *,
    output: Annotated[Path, arg(aliases=("-o",), metavar="FOLDER")] = Path("demo"),
    prior: Annotated[str, arg(metavar="NAME")] = "shell",
    seed: Annotated[int, arg(metavar="N")] = 0,
    device: Annotated[str, arg(metavar="auto|cpu|cuda[:N]|mps")] = "auto",
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Make a noisy image of a deformed shape, segment it, and write everything into a folder.

    Parameters
    ----------
    output
        The folder; it is made if it is not there.
    prior
        The shape, one of those that `toposeg priors` lists.
    seed
        Another seed makes another image.
    device
        Where to compute.
    json
        Print the report to standard output instead of a table.
    quiet
        Show neither progress nor table.
    """
    _make_folder(output)

    from napari_toposeg.cli.picture import draw
    from napari_toposeg.cli.running import say
    from napari_toposeg.cli.segment import exit_code, segment_volume
    from napari_toposeg.cli.show import print_json, show_result
    from napari_toposeg.data import phantom
    from napari_toposeg.evaluation import dice
    from napari_toposeg.formats import complete_report, read_volume, write_image, write_mask
    from napari_toposeg.inference import Settings, save

    names = ("phantom", "phantom_label", "mask", "displacement", "jacobian")
    image, truth, mask, field, jacobian = (output / f"{name}.nii.gz" for name in names)
    report, picture = output / "report.json", output / "picture.png"

    made = phantom(prior, seed=seed)
    write_image(made.volume, image)
    write_mask(made.mask, made.volume, truth)
    # From here on the way of anybody's own image, whose organ somebody has boxed by eye.
    volume = read_volume(image)
    tight = box_of(made.mask)
    assert tight is not None
    roi = ",".join(f"{low}:{high}" for low, high in volume.box_to_stored(grow_box(tight, [2] * volume.ndim)))
    if not quiet:
        say(f"$ toposeg segment {image} -o {mask} --prior {prior} --roi {roi} --network none \\")
        say(f"      --field {field} --jacobian {jacobian} --report {report}")
    site = Where(roi=roi).site(made.prior, volume)
    settings = Settings(device=device, seed=seed)
    result = segment_volume(volume, made.prior, site, settings, quiet=quiet)
    overlap = dice(result.full_mask(), made.mask)
    facts = {**result.report(), "dice": overlap}
    save(result, mask, field=field, jacobian=jacobian, report=report, facts=facts)
    draw(result, made.mask, picture)
    if json:
        print_json(complete_report(facts, volume))
    elif not quiet:
        written = [image, truth, mask, field, jacobian, report, picture]
        show_result(result, written, {"Dice": f"{overlap:.3f} against the phantom's own mask"})
    return exit_code(result)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToposegError(
            f"The folder {folder} cannot be made.", why=f"{error.strerror}.", todo="Choose another one with -o."
        ) from error
    check_folder(folder / "mask.nii.gz")

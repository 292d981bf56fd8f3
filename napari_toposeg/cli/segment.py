"""`toposeg segment`: a volume in, a certified mask out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from napari_toposeg.cli.arguments import (
    NIFTI_OUTPUTS,
    SURFACE_OUTPUTS,
    Where,
    check_outputs,
    choose_prior,
    mask_endings,
)
from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from napari_toposeg.cli.trained import Found
    from napari_toposeg.inference import MultiSegmentation, Outcome, Prompts, Segmentation, Settings, Site
    from napari_toposeg.priors import Prior
    from napari_toposeg.volume import Volume


def segment(
    image: Annotated[Positional[Path], arg(metavar="IMAGE")],
    *,
    output: Annotated[Path, arg(aliases=("-o",), metavar="MASK")],
    prior: Annotated[str | None, arg(metavar="NAME|FILE", help_behavior_hint="(default: ball, in 2-D disk)")] = None,
    axis: Annotated[str, arg(metavar="x|y|z")] = "z",
    roi: Annotated[str | None, arg(metavar="I0:I1,J0:J1[,K0:K1]", help_behavior_hint="(default: all)")] = None,
    roi_from: Annotated[str | None, arg(metavar="MASK[:LABEL]", help_behavior_hint="")] = None,
    place_from: Annotated[str | None, arg(metavar="MASK[:LABEL]", help_behavior_hint="")] = None,
    points: Annotated[str | None, arg(metavar="I,J[,K];...", help_behavior_hint="")] = None,
    stroke: Annotated[str | None, arg(metavar="I,J[,K];...", help_behavior_hint="")] = None,
    radius: Annotated[float | None, arg(metavar="MM", help_behavior_hint="(default: an eighth of the stroke)")] = None,
    margin: Annotated[
        float | None, arg(metavar="MM", help_behavior_hint="(default: a sixth of the region's side)")
    ] = None,
    series: Annotated[str | None, arg(metavar="N|UID", help_behavior_hint="")] = None,
    frame: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None,
    weights: Annotated[str | None, arg(metavar="NAME|FILE", help_behavior_hint="")] = None,
    network: Annotated[str | None, arg(metavar="NAME|none", help_behavior_hint="")] = None,
    hybrid: Annotated[str | None, arg(metavar="NAME|FILE", help_behavior_hint="")] = None,
    refine: Annotated[str, arg(metavar="chan-vese|none")] = "none",
    include: Annotated[str | None, arg(metavar="I,J[,K];...", help_behavior_hint="")] = None,
    exclude: Annotated[str | None, arg(metavar="I,J[,K];...", help_behavior_hint="")] = None,
    objective: Annotated[str | None, arg(metavar="chan-vese", help_behavior_hint="(default: chan-vese)")] = None,
    moves: Annotated[str | None, arg(metavar="velocity|tpsn", help_behavior_hint="(default: velocity)")] = None,
    iterations: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: 160)")] = None,
    device: Annotated[str, arg(metavar="auto|cpu|cuda[:N]|mps")] = "auto",
    seed: Annotated[int, arg(metavar="N")] = 0,
    certify: Annotated[str, arg(metavar="strict|report|off")] = "strict",
    field: Annotated[Path | None, arg(metavar="FIELD", help_behavior_hint="")] = None,
    jacobian: Annotated[Path | None, arg(metavar="JAC", help_behavior_hint="")] = None,
    surface: Annotated[Path | None, arg(metavar="MESH", help_behavior_hint="")] = None,
    report: Annotated[Path | None, arg(metavar="REPORT.json", help_behavior_hint="")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Segment one image: deform a template on to the organ, and certify the mask's topology.

    With a region, and a prior that a shipped network knows, that network is asked. Otherwise, with --network none, or
    with an option of the fit, the template is fitted to this one image. --weights names another trained network;
    --hybrid then carries its mask on to a pixel-wise network's logits, topology kept. A network of several objects
    gives a label map.

    Parameters
    ----------
    image
        What to segment: a DICOM series (its folder, or any file of it), NIfTI (2-D, 3-D, or 4-D with --frame), NRRD,
        MHA, PNG, JPEG or TIFF.
    output
        Where the mask goes, on the image's own grid: .nii.gz, .nii, .nrrd or .mha; .dcm, a DICOM segmentation, of a
        DICOM image; in 2-D also .png or .tif.
    prior
        The template: a name that `toposeg priors` lists, a mask file, or a folder of masks (their mean shape). With
        --weights, their own; for several objects, a file with the labels 1, 2, ..
    axis
        What a ring, tube or cylinder turns about: x (to the patient's right), y (front) or z (head).
    roi
        The organ's box, in voxels of the file as stored, from 0, ends exclusive. The template is inscribed in it.
    roi_from
        Take the box round a mask, or round one label of it, instead.
    place_from
        Put the template on a rough mask, along its principal axes, instead.
    points
        Put it into the ellipsoid through two to six voxels of the organ's surface, as stored, instead: its ends first.
    stroke
        Bend it along a line of voxels, as stored, from one end of the organ to the other, instead.
    radius
        How far it reaches to the sides of the stroke.
    margin
        How much of the surroundings to look at.
    series
        Which DICOM series of a folder that holds several: its number in the list that is printed, or its UID.
    frame
        Which frame of a 4-D file, from 0.
    weights
        A trained network: a name that `toposeg models` lists, or a .safetensors file.
    network
        Which network the weights are of. Alone: the shipped weights of the prior, or the only known ones of that
        network. none: no network is asked, and the template is fitted.
    hybrid
        Weights of a pixel-wise network (unet, wunet), of the same organ.
    refine
        What comes after a network: a few steps down the Chan-Vese energy, or nothing.
    include
        Points that have to be in the mask, in voxels of the file as stored, from 0. They move the deformation.
    exclude
        Points that have to be out of it.
    objective
        What the fit minimises; Chan-Vese needs no training.
    moves
        What the fit optimises: a velocity field, or a TPSN's weights (slower).
    iterations
        How many the fit has, over all stages.
    device
        Where to compute.
    seed
        Seed of everything random.
    certify
        strict: the topology is made right. report: it is counted. off: and a wrong one is no failure.
    field
        Where the displacement field goes (.nii.gz).
    jacobian
        Where the map of Jacobian determinants goes (.nii.gz).
    surface
        Where the mask's surface goes: .stl, .ply or .vtk, closed, with the mask's topology, in mm (LPS).
    report
        Where the report goes (.json).
    json
        Print the report to standard output instead of a table.
    quiet
        Show neither progress nor table.
    """
    where = Where(roi, roi_from, place_from, margin, axis, points, stroke, radius)
    check_outputs(
        [
            (output, mask_endings(2)),
            (field, NIFTI_OUTPUTS),
            (jacobian, NIFTI_OUTPUTS),
            (surface, SURFACE_OUTPUTS),
            (report, (".json",)),
        ],
        [image, prior, weights, hybrid, *where.files()],
    )

    from napari_toposeg.cli.prompts import prompt_sentences, read_prompts
    from napari_toposeg.cli.running import say
    from napari_toposeg.cli.trained import Asked, find, shipped, unasked
    from napari_toposeg.formats import read_volume
    from napari_toposeg.inference import Settings, save
    from napari_toposeg.inference.saving import check_kind, no_field

    asked = Asked(network, weights, hybrid, prior)
    fitting = {"objective": objective, "moves": moves, "iterations": iterations}
    told = {name: value for name, value in fitting.items() if value is not None}
    if asked and told:
        raise ToposegError(
            f"--{next(iter(told))} has no meaning with a trained network.",
            why="It is asked once, and nothing is fitted.",
            todo="Leave it out, or say --network none.",
        )
    settings = Settings(
        device=device,
        seed=seed,
        certify=certify,  # type: ignore[arg-type]  # Settings refuses what it does not know
        refine=refine,  # type: ignore[arg-type]  # likewise
        **told,  # type: ignore[arg-type]
    )
    volume = read_volume(image, frame, series=series)
    check_outputs([(output, mask_endings(volume.ndim))])
    check_kind(volume, output, surface)
    prompts = read_prompts(include, exclude, volume)
    result: Outcome | MultiSegmentation
    notes = (lambda text: None) if quiet else say
    if asked:
        found = find(asked, volume.ndim, notes)
        if not found.deforms_one and (field is not None or jacobian is not None):
            raise no_field(several=len(found.priors) > 1)
        site = where.site(found.priors[0], volume)
        why = asked.why
        result = segment_by_trained(volume, found, site, settings, prompts, quiet=quiet)
    else:
        chosen = choose_prior(prior, volume.ndim)
        site = where.site(chosen, volume)
        if prior is None:
            notes(f"No --prior is given: a {chosen.name} is taken, as for every {volume.ndim}-D image.")
        method = unasked(asked, told, chosen, site, volume, notes)
        why = method.why
        if method.known is not None:
            found = shipped(method.known, chosen)
            result = segment_by_trained(volume, found, site, settings, prompts, quiet=quiet)
        else:
            result = segment_volume(volume, chosen, site, settings, prompts, quiet=quiet)
    result = because(result, why)
    for sentence in prompt_sentences(result):
        notes(sentence)
    facts = result.report()
    if frame is not None:
        facts["input"]["frame"] = frame
    facts["input"].update(where.facts())
    save(result, output, field=field, jacobian=jacobian, surface=surface, report=report, facts=facts)
    if json:
        from napari_toposeg.cli.show import print_json
        from napari_toposeg.formats import complete_report

        print_json(complete_report(facts, volume))
    elif not quiet:
        from napari_toposeg.cli.show import show_result

        show_result(result, [path for path in (output, field, jacobian, surface, report) if path is not None])
    return exit_code(result)


def because(result: Outcome | MultiSegmentation, why: str) -> Outcome | MultiSegmentation:
    """The same result, with the reason why it was segmented in this way."""
    from napari_toposeg.inference import MultiSegmentation

    if isinstance(result, MultiSegmentation):
        return replace(result, objects=tuple(replace(one, why=why) for one in result.objects))
    return replace(result, why=why)


def segment_by_trained(
    volume: Volume, found: Found, site: Site, settings: Settings, prompts: Prompts = (), *, quiet: bool = False
) -> Outcome | MultiSegmentation:
    """Segment by trained networks, with progress on standard error. Errors are those of `segment_volume`."""
    from napari_toposeg.cli.prompts import no_prompts_here
    from napari_toposeg.cli.running import compile_once, run
    from napari_toposeg.inference import segment_by_logits, segment_by_network, segment_objects

    if prompts and not found.deforms_one:
        raise no_prompts_here("several objects" if len(found.priors) > 1 else "a pixel-wise network")
    compile_once(quiet=quiet)
    if len(found.priors) > 1:
        return run(segment_objects(volume, found.priors, site, found.trained, settings), quiet=quiet)
    (prior,) = found.priors
    if not found.deforms_one:
        return run(segment_by_logits(volume, prior, site, found.trained, settings), quiet=quiet)
    return run(
        segment_by_network(volume, prior, site, found.trained, settings, prompts, hybrid=found.hybrid, previews=False),
        quiet=quiet,
    )


def segment_volume(
    volume: Volume, prior: Prior, site: Site, settings: Settings, prompts: Prompts = (), *, quiet: bool = False
) -> Segmentation:
    """Segment, with progress on standard error.

    Raises
    ------
    ToposegError
        If the image cannot be used there.
    Interrupted
        If Ctrl-C was pressed.
    """
    from napari_toposeg.cli.running import compile_once, run
    from napari_toposeg.inference import segment as steps_of
    from napari_toposeg.volume import check_finite

    check_finite(volume, site.region)  # before anything that takes long
    compile_once(quiet=quiet)
    return run(steps_of(volume, prior, site, settings, prompts, previews=False), quiet=quiet)


def exit_code(result: Outcome | MultiSegmentation) -> int:
    """0 where every mask has its prior's topology, or nobody wants to know; otherwise 1."""
    from napari_toposeg.inference import MultiSegmentation

    objects = result.objects if isinstance(result, MultiSegmentation) else (result,)
    right = all(one.certificate.topology_ok for one in objects)
    return 0 if right or result.settings.certify == "off" else 1

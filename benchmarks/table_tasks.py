"""The tasks and systems of the papers' tables, at sizes that two cores can train."""

from __future__ import annotations

from dataclasses import replace

from cases import data_folder
from trained_systems import System, Task

from napari_toposeg.inference import Window
from napari_toposeg.training import Data, LossWeights, Optimisation, TrainedObject, TrainingConfig

RING_LENGTH = Optimisation(batch=8, epochs=16, patience=0)
ACDC_LICENCE, MSD_LICENCE = "CC BY-NC-SA 4.0", "CC BY-SA 4.0"


def ring() -> Task:
    """The heart's wall in ACDC slices: 80x80 pixels about the middle of the label's box, an annulus of 44 in it.

    80 patients: 52 to train on (about 520 slices), 8 for validation, 20 for the test, 4 slices of each. The papers
    train 300 and 200 epochs on larger slices.
    """
    folder = str(data_folder() / "acdc2d")
    config = TrainingConfig(
        Data(folder, folder, validation=0.1, test=0.25, name="ACDC, short-axis slices", licence=ACDC_LICENCE),
        (TrainedObject("annulus", (2,)),),
        "mltpsn",
        Window((80, 80), "centre", template=0.55),
        optimisation=RING_LENGTH,
    )
    return Task("ring", config, each=4)


def hippocampus(epochs: int = 16, prior: str = "ellipsoid") -> Task:
    """The hippocampus, both parts as one object: the whole image on 32x48x32 voxels.

    210 images: 60 to train on, 21 for validation, and 30 of the 42 for the test.
    """
    folder = data_folder() / "msd_hippocampus"
    config = TrainingConfig(
        Data(
            str(folder / "images"),
            str(folder / "labels"),
            validation=0.1,
            test=0.2,
            labelled=60,
            name="Medical Segmentation Decathlon, hippocampus",
            licence=MSD_LICENCE,
        ),
        (TrainedObject(prior),),
        "mltpsn",
        Window((32, 48, 32), "image"),
        optimisation=Optimisation(batch=4, epochs=epochs, patience=0),
    )
    return Task("hippocampus", config, most=30)


PUBLISHED_SMOOTHNESS = LossWeights(jacobian=0.0, laplacian=0.0, gradient=0.8)
"""TEDS-Net's own term. Its weight of 1e4 on differences of coordinates from -1 to 1, halved, is about .8 on
`gradient_magnitude` on a grid of 160 pixels."""

SMOOTH_ONLY = LossWeights(jacobian=0.0, laplacian=0.0, gradient=0.1)
"""The same, lighter: TEDS-Net folded nothing with it on the validation slices of seed 100 (Dice .742)."""

LAPLACIAN_ONLY = LossWeights(jacobian=0.0, laplacian=0.3)

DEFORMING = {"fill_first": 0.3, "optimisation": replace(RING_LENGTH, learning_rate=3e-3)}
"""Of all deformation networks: a rate of 3e-3 instead of 1e-3, which gave an mlTPSN of 8 features a Dice of .769, not
.761, on the validation slices of seed 100, after 10 epochs; and Fill First, Dig Second, as Zhang and Lui had it for
100 of 300 epochs, which gave .761 instead of .755."""

WIDE = {"features": 16}
"""Of all that are made of the U-Net, which has 8 by default: an mlTPSN had .773 with 16 instead of .769 with 8."""

PIXEL_WISE_SYSTEMS = (System("unet", "U-Net", "unet", WIDE), System("wunet", "wUNet", "wunet", WIDE))

RING_SYSTEMS = (
    System("voxelmorph", "VoxelMorph", "voxelmorph", weights=SMOOTH_ONLY, changes=DEFORMING),
    System("tetris", "TeTrIS", "tetris", WIDE, weights=LAPLACIAN_ONLY, changes=DEFORMING),
    System("tedsnet", "TEDS-Net", "tedsnet", weights=SMOOTH_ONLY, changes=DEFORMING),
    System("tpsn", "TPSN", "tpsn", WIDE, changes=DEFORMING),
    System("mltpsn", "mlTPSN", "mltpsn", WIDE, changes=DEFORMING),
)

"""What synthetic samples are drawn from: every range in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

from napari_toposeg.errors import ToposegError

Range = tuple[float, float]


@dataclass(frozen=True)
class SyntheticSettings:
    """Ranges that a sample's properties are drawn from, evenly unless said otherwise.

    Lengths of the object's geometry are in halves of its longest side before it is deformed ("half-sides"). Intensities
    are those before noise, where every part has a mean between 0 and 1. A share is from 0 to 1; a chance is that of a
    sample.

    Attributes
    ----------
    margin : float
        The window's margin: how much of the drawn box's side is added at either end (`inference.Window`, "box").
    slack : (float, float)
        By how much of the object's side the drawn box is larger at either end; below 0 it cuts into the object. People
        draw some slack; a box taken from a label and grown by a few millimetres or per cent has it too.
    slack_spread : float
        By how much more or less of it each of the box's faces has, either way: the object is off the middle.
    thinness : (float, float)
        Thickness of a solid object over its length, along each of its short axes (evenly in its logarithm).
    hollow_thinness : (float, float)
        The same of rings, shells, tubes, cylinders and tori.
    tilt : float
        Largest angle, in degrees, of the axis of a tube, cylinder or torus to the window's third axis. Anything else is
        turned at random.
    bend : (float, float)
        By how much of its half-side the middle of a solid object, tube or cylinder is bent aside.
    taper : (float, float)
        Logarithm of how much thicker one end of it is than the middle, either way.
    detail : (float, ...)
        Length of the detail of each part of the random velocity, coarse to fine, in half-sides.
    speed : (float, ...)
        Largest deviation of each of them, in half-sides; what is drawn is between 0 and that.
    hollow_speed : (float, ...)
        The same of rings, shells, tubes, cylinders and tori, which are rounder, and whose walls the finest would break.
    wall : (float, float)
        Thickness of a wall over the outer radius, before it is deformed (evenly in its logarithm).
    least_wall : float
        ... and at least so many voxels of the window.
    continued : float
        Chance that a tube or a cylinder goes on beyond its ends, as a spinal cord does beyond its box.
    regions : (int, int)
        How many kinds of tissue lie around the object, both ends included.
    region_length : (float, float)
        How large they are, as a share of the window's side.
    straight : (float, float)
        How straight their borders are: 0 those of smooth noise, 1 planes (a Voronoi diagram).
    distractors : (int, int)
        How many blobs, tubes, shells and planes stand around the object, both ends included.
    touching : float
        Share of them that stand at the object's border.
    gap : (float, float)
        How far from the border these stand, as a share of the window's side; below 0 the object covers part of them.
    lookalike : float
        Share of the distractors that are as bright as the object.
    rim : float
        Chance of a layer around the object (fat, fluid, a capsule) that is there on part of its border.
    rim_thickness : (float, float)
        In voxels of the window.
    membranes : float
        Chance that the tissues around are parted by thin sheets with an intensity of their own.
    core : float
        Chance of something inside a solid object, or of blobs in a pool, with an intensity of their own.
    contrast : float
        Least difference of the object's mean intensity from its neighbour's ...
    contrast_share : float
        ... which holds on at least this share of its outer border, and of the border of its pool.
    fading : float
        Chance that the contrast fades away on part of the border.
    texture : (float, float)
        Deviation of a part's texture.
    texture_length : (float, float)
        Length of its detail in voxels of the window (evenly in the logarithm).
    bias : (float, float)
        Deviation of the logarithm of the bias field.
    bias_length : (float, float)
        Length of its detail as a share of the window's side.
    blur : (float, float)
        Deviation of the Gaussian blur, in voxels of the window.
    voxel : (float, float)
        Size of the image's own voxels in those of the window. Below 1 the image is as fine as the window.
    slices : float
        Chance that the slices are thick along one axis (in 3-D; in 2-D, that pixels are longer one way).
    slice_thickness : (float, float)
        How many times as thick.
    noise : (float, float)
        Deviation of Gaussian or Rician noise (evenly in its logarithm).
    speckle : (float, float)
        Deviation of noise that grows with the intensity.
    speckle_chance : float
        Chance of speckle instead of Gaussian or Rician noise.
    gamma : (float, float)
        Exponent that the intensities are raised to, between their least and greatest.
    clipped : (float, float)
        Share of voxels clipped at either end.
    beyond : float
        Chance, for each face of the window, that the image ends before it; its border is repeated from there on.

    Raises
    ------
    ToposegError
        If a range runs backwards, or the object would be cut off by the window.
    """

    margin: float = 0.25
    slack: Range = (-0.02, 0.12)
    slack_spread: float = 0.05
    thinness: Range = (0.22, 1.0)
    hollow_thinness: Range = (0.7, 1.0)
    tilt: float = 25.0
    bend: Range = (0.0, 0.5)
    taper: Range = (0.0, 0.4)
    detail: tuple[float, ...] = (1.3, 0.6, 0.3)
    speed: tuple[float, ...] = (0.3, 0.14, 0.045)
    hollow_speed: tuple[float, ...] = (0.22, 0.1, 0.022)
    wall: Range = (0.1, 0.65)
    least_wall: float = 2.0
    continued: float = 0.5
    regions: tuple[int, int] = (1, 8)
    region_length: Range = (0.15, 0.6)
    straight: Range = (0.0, 0.5)
    distractors: tuple[int, int] = (1, 7)
    touching: float = 0.7
    gap: Range = (-0.06, 0.06)
    lookalike: float = 0.25
    rim: float = 0.35
    rim_thickness: Range = (1.0, 5.0)
    membranes: float = 0.25
    core: float = 0.4
    contrast: float = 0.15
    contrast_share: float = 0.65
    fading: float = 0.4
    texture: Range = (0.0, 0.09)
    texture_length: Range = (1.2, 10.0)
    bias: Range = (0.0, 0.3)
    bias_length: Range = (0.4, 1.2)
    blur: Range = (0.4, 1.3)
    voxel: Range = (0.7, 2.2)
    slices: float = 0.3
    slice_thickness: Range = (1.3, 3.0)
    noise: Range = (0.005, 0.06)
    speckle: Range = (0.05, 0.25)
    speckle_chance: float = 0.15
    gamma: Range = (0.6, 1.6)
    clipped: Range = (0.0, 0.02)
    beyond: float = 0.1

    def __post_init__(self) -> None:
        wrong = ""
        for field in fields(self):
            value = getattr(self, field.name)
            if (
                isinstance(value, tuple)
                and field.name not in ("detail", "speed", "hollow_speed")
                and not value[0] <= value[1]
            ):
                wrong = f"{field.name} runs from {value[0]:g} to {value[1]:g}"
        if not len(self.detail) == len(self.speed) == len(self.hollow_speed) or min(self.detail, default=1.0) <= 0:
            wrong = f"detail {self.detail} is not of lengths above 0, as many as there are speeds"
        elif self.margin < 0:
            wrong = f"the margin is {self.margin:g}"
        elif 2.0 * (self.slack[0] - self.slack_spread) <= -1.0 or self.clearance <= 0:
            wrong = f"with slack from {self.slack[0]:g} the window cuts off the object"
        if wrong:
            raise ToposegError("The settings of the synthetic samples make no sense.", why=f"{wrong.capitalize()}.")

    @property
    def clearance(self) -> float:
        """Least distance of the object from the window's border, as a share of the object's side."""
        least = self.slack[0] - self.slack_spread
        return least + self.margin * (1.0 + 2.0 * least)

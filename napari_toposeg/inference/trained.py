"""A trained network, ready to be asked about an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.brightness import BRIGHTNESS
from napari_toposeg.inference.weights.card import SYNTHETIC, Card, window_to_dict
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import DeformationNetwork, Deformed


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network, and how it sees images.

    Attributes
    ----------
    network : Module
        As `build` makes it. Asking it moves it to the device that is asked for, and leaves it there.
    window : Window
        That it was trained with.
    name : str
        Which network it is; default: the name of its class.
    weights, sha256 : str
        Name and hash of its file of weights; empty where it comes from none.
    brightness : float
        How much its map heeds how bright the image is in and out of it (`heeding_brightness`); 0: not at all. Of a
        network that answers with logits only.
    """

    network: nn.Module
    window: Window
    name: str = ""
    weights: str = ""
    sha256: str = ""
    brightness: float = 0.0

    @property
    def deforms(self) -> bool:
        """Whether it deforms templates; else it answers with logits."""
        return isinstance(self.network, DeformationNetwork)

    def facts(self) -> Mapping[str, Any]:
        """What a report says of it, as plain values."""
        return {
            "name": self.name or type(self.network).__name__,
            "weights": self.weights or None,
            "sha256": self.sha256 or None,
            "window": window_to_dict(self.window),
            **({"brightness": self.brightness} if self.brightness else {}),
        }

    def deformed(self, image: Tensor, templates: Tensor, device: torch.device) -> Deformed:
        """Ask a deformation network.

        Parameters
        ----------
        image : (1, 1, *window) tensor
            As `shown_image` gives it.
        templates : (1, q, *window) tensor
            As `shown_template` gives them, one channel by object.
        device : torch.device
            Where to compute.

        Returns
        -------
        Deformed
            On that device.

        Raises
        ------
        ToposegError
            If the network answers with values that are not finite.
        """
        answer = self._ask(device, image, templates)
        assert isinstance(answer, Deformed)
        self._check(answer.displacement)
        return answer

    def logits(self, image: Tensor, device: torch.device) -> Tensor:
        """Ask a pixel-wise network: (1, q, *window) logits. Parameters and errors are those of `deformed`."""
        answer = self._ask(device, image)
        assert isinstance(answer, Tensor)
        self._check(answer)
        return answer

    def _ask(self, device: torch.device, *shown: Tensor) -> Any:
        training = self.network.training
        # Not in inference mode: parameters that are moved there could never be trained again.
        self.network.eval().to(device)
        try:
            with torch.inference_mode():
                return self.network(*(one.to(device) for one in shown))
        finally:
            self.network.train(training)

    def _check(self, answer: Tensor) -> None:
        if not bool(torch.isfinite(answer).all()):
            raise ToposegError(
                "The network answers with values that are not finite.",
                why="Its weights are damaged, or its training diverged.",
                todo="Choose other weights.",
            )


def trained_network(network: nn.Module, card: Card) -> TrainedNetwork:
    """What `load_weights` gives, ready to be asked.

    A pixel-wise network that was trained on synthetic images alone does not know how bright the organ is in images like
    this one, and its map heeds that by `BRIGHTNESS`; one that was trained on patients does.
    """
    knows = card.split.get("train", ()) != (SYNTHETIC,) or isinstance(network, DeformationNetwork)
    return TrainedNetwork(network, card.window, card.network, card.name, card.sha256, 0.0 if knows else BRIGHTNESS)

"""Which network a session asks about its volume, and the one that it keeps in memory for that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import (
    Method,
    Prompts,
    Segmentation,
    Settings,
    Site,
    TrainedNetwork,
    choose_device,
    default_method,
    segment,
    segment_by_network,
    trained_network,
)
from napari_toposeg.inference.weights import (
    Card,
    KnownWeights,
    default_weights,
    known_weights,
    read_card,
    read_weights,
    weights_path,
)
from napari_toposeg.priors import Prior
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.steps import Steps

NONE = "none"
"""What is chosen where no network is to be asked, and the template is fitted to the image."""


@dataclass(frozen=True)
class NetworkChoice:
    """Something that can be asked for.

    Attributes
    ----------
    name : str or None
        What `Session.network` is set to: None for "whatever is best", a name of weights, or "none" for the fit.
    card : Card or None
        Of the network that would be asked now; None: the template would be fitted to the image.
    weights : str
        Its name; empty for the fit.
    why : str
        A sentence: why it would be that.
    """

    name: str | None
    card: Card | None
    weights: str
    why: str


class Networks:
    """Finds what can be asked, loads it, and keeps the newest one. Everything here is for the compute thread."""

    def __init__(self) -> None:
        self._loaded: TrainedNetwork | None = None
        self._card: Card | None = None

    @staticmethod
    def choices(
        prior: Prior | None, volume: Volume | None, site: Site | None, asked: str | None
    ) -> tuple[NetworkChoice, ...]:
        """What can be asked: what is best, all weights that fit the prior, and the fit. See `Session.networks`."""
        fit = NetworkChoice(NONE, None, "", "Needs no training.")
        if prior is None:
            return (NetworkChoice(None, None, "", "No prior is chosen."), fit)
        if volume is not None and site is not None:
            method = default_method(prior, site, volume)
        else:
            known = default_weights(prior)
            method = Method(known, "" if known else f"No shipped network was trained with the prior {prior.name!r}.")
        best = method.known
        fitting = {
            known.name: NetworkChoice(
                known.name, known.card, known.name, f"Its prior is {known.card.priors[0].name!r}."
            )
            for known in known_weights()
            if known.card is not None and known.place != "online" and not _misfit(known.card, prior)
        }
        if asked is not None and asked != NONE and asked not in fitting:
            fitting[asked] = _asked_choice(asked, prior)
        return (
            NetworkChoice(None, best.card if best else None, best.name if best else "", method.why),
            *fitting.values(),
            fit,
        )

    def begin(
        self,
        volume: Volume,
        prior: Prior,
        site: Site,
        settings: Settings,
        asked: str | None,
        prompts: Prompts = (),
    ) -> tuple[Steps[Segmentation], str]:
        """The steps of a run, and why it is done so.

        Raises
        ------
        ToposegError
            If there are no such weights, they cannot be used, or they do not fit the prior.
        """
        if asked == NONE:
            return segment(volume, prior, site, settings, prompts), "The fit was chosen."
        if asked is None:
            method = default_method(prior, site, volume)
            if method.known is None:
                return segment(volume, prior, site, settings, prompts), method.why
            trained, why = self._load(method.known, prior), method.why
        else:
            trained, why = self._load(asked, prior), f"The weights {asked} were chosen."
        return segment_by_network(volume, prior, site, trained, settings, prompts), why

    def warm_up(self, prior: Prior, asked: str | None, settings: Settings) -> None:
        """Load the network that a run would ask, and ask it once about nothing: the first question takes longer."""
        known = default_weights(prior) if asked is None else asked
        if known is None or known == NONE:
            return
        import torch

        before = self._loaded
        trained = self._load(known, prior)
        if trained is not before:
            nothing = torch.zeros(1, 1, *trained.window.shape)
            device = choose_device(settings.device, ndim=prior.ndim)
            if trained.deforms:
                trained.deformed(nothing, nothing, device)
            else:
                trained.logits(nothing, device)

    def _load(self, source: str | KnownWeights, prior: Prior) -> TrainedNetwork:
        path = weights_path(source) if isinstance(source, str) else source.path
        card = read_card(path)
        why = _misfit(card, prior)
        if why:
            raise ToposegError(
                f"The weights {card.name!r} do not fit the prior {prior.name!r}.",
                why=why,
                todo="Choose other weights, or let the best be taken.",
            )
        # The card has the hash of the file: weights that were trained on meanwhile are read again.
        if self._loaded is None or self._card != card:
            self._loaded = None  # one at a time: it goes before the next one comes
            network, self._card = read_weights(path)
            self._loaded = trained_network(network, self._card)
        return self._loaded


def _asked_choice(asked: str, prior: Prior) -> NetworkChoice:
    """Weights that lie in no folder of weights, or that cannot be asked: then a run will say so, and this does."""
    try:
        card = read_card(weights_path(asked))
    except ToposegError as error:
        return NetworkChoice(asked, None, Path(asked).stem, str(error))
    why = _misfit(card, prior) or f"Its prior is {card.priors[0].name!r}."
    return NetworkChoice(asked, card, card.name, why)


def _misfit(card: Card, prior: Prior) -> str:
    """Why a network cannot be asked for a prior; empty where it can."""
    if card.settings.ndim != prior.ndim:
        return f"They are for {card.settings.ndim}-D images."
    if len(card.priors) != 1:
        return f"They are of {len(card.priors)} objects."
    if card.priors[0].betti != prior.betti:
        return (
            f"They were trained with the prior {card.priors[0].name!r}, whose Betti numbers are "
            f"{' '.join(map(str, card.priors[0].betti))}."
        )
    return ""

"""Which trained networks, and which templates, the words of a command line stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_toposeg.cli.arguments import choose_prior
from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from napari_toposeg.inference import Method, Site, TrainedNetwork
    from napari_toposeg.inference.weights import Card, KnownWeights
    from napari_toposeg.priors import Prior
    from napari_toposeg.volume import Volume

Betti = tuple[tuple[int, ...], ...]

NONE = "none"
"""In place of a network's name: none is asked, and the template is fitted."""


@dataclass(frozen=True)
class Asked:
    """What a person says of trained networks.

    Attributes
    ----------
    network : str or None
        Which network; "none" for none.
    weights, hybrid : str or None
        Names or files of weights.
    prior : str or None
        The template.

    Raises
    ------
    ToposegError
        If they contradict each other.
    """

    network: str | None = None
    weights: str | None = None
    hybrid: str | None = None
    prior: str | None = None

    def __post_init__(self) -> None:
        from napari_toposeg.networks import NETWORK_NAMES

        if self.network not in (None, NONE, *NETWORK_NAMES):
            raise ToposegError(
                f"There is no network {self.network!r}.",
                todo=f"Choose one of {', '.join(NETWORK_NAMES)}, or {NONE} to fit the template to this image.",
            )
        if self.network == NONE and self.weights is not None:
            raise ToposegError(
                f"--weights {self.weights} and --network {NONE} contradict each other.", todo="Leave one of them out."
            )
        if self.hybrid is not None and not self:
            raise ToposegError(
                "--hybrid has no mask to start from.",
                why="It carries the mask of a deformation network on to a pixel-wise network's logits.",
                todo="Give --weights as well.",
            )

    def __bool__(self) -> bool:
        """Whether a trained network is asked for at all."""
        return self.weights is not None or self.network not in (None, NONE)

    @property
    def why(self) -> str:
        """A sentence for the report: which of the words it was."""
        return f"--weights {self.weights} was given." if self.weights else f"--network {self.network} was given."


@dataclass(frozen=True, eq=False)
class Found:
    """The networks that are asked, and the template of each object.

    A shipped network always gives a deformation: a pixel-wise one has the template fitted to its map. The mask of a
    person's own pixel-wise network is corrected instead, by as few voxels as can be found.
    """

    trained: TrainedNetwork
    priors: tuple[Prior, ...]
    hybrid: TrainedNetwork | None
    shipped: bool

    @property
    def deforms_one(self) -> bool:
        """Whether there is one deformation to speak of."""
        return (self.trained.deforms or self.shipped) and len(self.priors) == 1


def unasked(
    asked: Asked, fitting: Collection[str], prior: Prior, site: Site, volume: Volume, say: Callable[[str], None]
) -> Method:
    """What is done where no trained network is asked for by name.

    Parameters
    ----------
    asked : Asked
        No network is, or "none" is.
    fitting : collection of str
        Options of a fit that are given.
    prior, site, volume
        The template, where it stands, and the image.
    say : callable
        Is told what was chosen for the person.
    """
    from napari_toposeg.inference import Method, default_method
    from napari_toposeg.inference.weights import default_weights

    if asked.network == NONE:
        return Method(None, asked.why)
    if fitting:
        return Method(None, f"--{next(iter(fitting))} was given, and is about a fit.")
    method = default_method(prior, site, volume)
    if method.known is not None:
        say(
            f"The shipped network {method.known.name} is asked; --network {NONE} fits the template to this image "
            "instead."
        )
    elif default_weights(prior) is not None:
        say(f"{method.why} The template is fitted to this image.")
    return method


def shipped(known: KnownWeights, prior: Prior) -> Found:
    """A shipped network, loaded, for the prior that it was trained with."""
    from napari_toposeg.inference import trained_network
    from napari_toposeg.inference.weights import read_weights

    return Found(trained_network(*read_weights(known.path)), (prior,), None, shipped=True)


def find(asked: Asked, ndim: int, say: Callable[[str], None]) -> Found:
    """Load what is asked for.

    Parameters
    ----------
    asked : Asked
        Something is.
    ndim : int
        Of the image.
    say : callable
        Is told what was chosen for the person.

    Raises
    ------
    ToposegError
        If there are no such weights, or they do not fit the image, the prior, or what is asked of them.
    """
    from napari_toposeg.inference.weights import shipped_weights

    weights = asked.weights or _only_weights(asked, ndim, say)
    trained, card, path = _load(weights, ndim)
    if asked.network is not None and asked.network != card.network:
        raise ToposegError(
            f"The weights {card.name!r} are those of a {card.network}, not of a {asked.network}.",
            todo="Leave --network out: the weights know their network.",
        )
    priors = _own_priors(card, path, ndim, say) if asked.prior is None else _given_priors(asked.prior, card, ndim, say)
    hybrid = None
    if asked.hybrid is not None:
        if not trained.deforms or len(priors) != 1:
            raise ToposegError(
                f"The weights {card.name!r} cannot be the first half of a hybrid.",
                why="It starts from the mask of one deformed template.",
                todo="Give --weights of a deformation network of one object.",
            )
        hybrid = _hybrid(asked.hybrid, ndim, priors[0])
    return Found(trained, priors, hybrid, shipped=any(known.path == path for known in shipped_weights()))


def _load(weights: str, ndim: int) -> tuple[TrainedNetwork, Card, Path]:
    from napari_toposeg.inference import trained_network
    from napari_toposeg.inference.weights import read_weights, weights_path

    path = weights_path(weights)
    network, card = read_weights(path)
    if card.settings.ndim != ndim:
        raise ToposegError(
            f"The weights {card.name!r} are for {card.settings.ndim}-D images, and this one is {ndim}-D.",
            todo="Choose others; `toposeg models` lists them.",
        )
    return trained_network(network, card), card, path


def _only_weights(asked: Asked, ndim: int, say: Callable[[str], None]) -> str:
    """The shipped weights of the prior, or the name of the only known weights of a network that fit image and prior."""
    from napari_toposeg.inference.weights import default_weights, known_weights

    prior = choose_prior(asked.prior, ndim)
    betti = None if asked.prior is None else prior.betti
    default = default_weights(prior)
    fitting = {
        (known.name, known.card.sha256): known
        for known in known_weights()
        if known.card is not None
        and (known.card.network, known.card.settings.ndim) == (asked.network, ndim)
        and (betti is None or _betti_of(known.card) in ((), (betti,)))
    }
    alone = asked.prior is not None or all(known.place == "shipped" for known in fitting.values())
    if default is not None and default.card is not None and default.card.network == asked.network and alone:
        if asked.prior is None:
            say(f"No --prior is given: a {prior.name} is taken, as for every {ndim}-D image.")
        say(f"The shipped network {default.name} is asked.")
        return str(default.path)
    of_prior = "" if asked.prior is None else f" for the prior {asked.prior!r}"
    if len(fitting) != 1:
        names = ", ".join(sorted(known.name for known in fitting.values()))
        raise ToposegError(
            f"There are {len(fitting) or 'no'} weights of a {ndim}-D {asked.network}{of_prior}"
            + (f": {names}." if names else "."),
            todo="Say which with --weights."
            if names
            else "Train some, or give --weights; `toposeg models` lists them.",
        )
    (known,) = fitting.values()
    say(f"The weights {known.name!r} are taken: no others fit --network {asked.network}.")
    return known.name


def _betti_of(card: Card) -> Betti:
    return tuple(prior.betti for prior in card.priors)


def _own_priors(card: Card, path: Path, ndim: int, say: Callable[[str], None]) -> tuple[Prior, ...]:
    """The templates that the network was trained with."""
    from napari_toposeg.formats import read_prior
    from napari_toposeg.inference.weights import template_path
    from napari_toposeg.priors import find_prior

    if not card.priors:
        prior = choose_prior(None, ndim)
        say(f"The weights {card.name!r} name no prior, and no --prior is given: a {prior.name} is taken.")
        return (prior,)
    priors = []
    for number, wanted in enumerate(card.priors):
        known = find_prior(wanted.name)
        beside = template_path(path, number)
        if known is None and beside is not None:
            known = replace(read_prior(str(beside)), name=wanted.name)
        if known is None or known.betti != wanted.betti:
            raise ToposegError(
                f"The template {wanted.name!r} of the weights {card.name!r} is not at hand.",
                why="It is not a built-in prior, and no template lies beside the weights in a folder of their name.",
                todo="Give the template with --prior.",
            )
        priors.append(known)
    return tuple(priors)


def _given_priors(text: str, card: Card, ndim: int, say: Callable[[str], None]) -> tuple[Prior, ...]:
    """The templates that are given: one, or for several objects the labels 1, 2, .. of a file."""
    from napari_toposeg.priors import find_prior

    count = len(card.priors) or 1
    if count == 1 or find_prior(text) is not None:
        priors = (choose_prior(text, ndim),) * count
    else:
        priors = tuple(choose_prior(f"{text}:{number}", ndim) for number in range(1, count + 1))
    for prior, wanted in zip(priors, card.priors, strict=False):
        if prior.betti != wanted.betti:
            raise ToposegError(
                f"The prior {prior.name!r} does not fit the weights {card.name!r}.",
                why=f"Its Betti numbers are {_numbers(prior.betti)}, and the network learned to deform a "
                f"{wanted.name!r} with {_numbers(wanted.betti)}.",
                todo="Leave --prior out: the weights know their own.",
            )
        if prior.name != wanted.name:
            say(f"The weights {card.name!r} were trained with the prior {wanted.name!r}; {prior.name!r} is taken.")
    return priors


def _hybrid(weights: str, ndim: int, prior: Prior) -> TrainedNetwork:
    trained, card, _ = _load(weights, ndim)
    why = ""
    if trained.deforms:
        why = f"A {card.network} answers with deformations, not with logits."
    elif getattr(card.settings, "outputs", 1) != 1:
        why = "They are of several objects."
    elif card.priors and _betti_of(card) != (prior.betti,):
        why = f"They were trained on objects with the Betti numbers {_numbers(card.priors[0].betti)}."
    if why:
        raise ToposegError(
            f"The weights {card.name!r} cannot be the second half of a hybrid with the prior {prior.name!r}.",
            why=why,
            todo="Give --hybrid weights of a unet or wunet that was trained on the same organ.",
        )
    return trained


def _numbers(betti: tuple[int, ...]) -> str:
    return " ".join(map(str, betti))

"""Which of the shipped networks is asked where nobody chooses one."""

from __future__ import annotations

from napari_toposeg.inference.weights.registry import KnownWeights, shipped_weights
from napari_toposeg.priors import Prior, find_prior


def default_weights(prior: Prior) -> KnownWeights | None:
    """The shipped weights that were trained to deform this very prior.

    Parameters
    ----------
    prior : Prior
        A template.

    Returns
    -------
    KnownWeights or None
        Those whose card has one prior, of this prior's name, Betti numbers and dimensions; of several, the first by
        name. None for a template that is not built in, also where its name or its Betti numbers are those of one that
        is: a network is shown the template and learnt where that one's surface lies, so another shape of the same
        topology is one that it never saw.
    """
    if find_prior(prior.name) is not prior:
        return None
    wanted = [(prior.name, prior.betti)]
    for known in shipped_weights():
        card = known.card
        if card is not None and [(one.name, one.betti) for one in card.priors] == wanted:
            return known
    return None

"""Trained networks on disk: the weights, the card that says what they are, and the names they are asked for by."""

from napari_toposeg.inference.weights.card import SYNTHETIC, Card, TrainedPrior, card_from_dict, card_to_dict
from napari_toposeg.inference.weights.defaults import default_weights
from napari_toposeg.inference.weights.registry import (
    KnownWeights,
    find_weights,
    known_weights,
    load_weights,
    own_folder,
    shipped_weights,
    template_path,
    weights_path,
)
from napari_toposeg.inference.weights.storage import Weights, read_card, read_weights, save_weights

__all__ = [
    "SYNTHETIC",
    "Card",
    "KnownWeights",
    "TrainedPrior",
    "Weights",
    "card_from_dict",
    "card_to_dict",
    "default_weights",
    "find_weights",
    "known_weights",
    "load_weights",
    "own_folder",
    "read_card",
    "read_weights",
    "save_weights",
    "shipped_weights",
    "template_path",
    "weights_path",
]

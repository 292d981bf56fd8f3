"""Training on many volumes: a config in, weights with a card out."""

from napari_toposeg.training.config import (
    MEAN_SHAPE,
    Data,
    LossWeights,
    Optimisation,
    TrainedObject,
    TrainingConfig,
)
from napari_toposeg.training.config_file import (
    config_from_dict,
    config_to_dict,
    read_config,
    with_whole_paths,
    write_config,
)
from napari_toposeg.training.train import Trained, train

__all__ = [
    "MEAN_SHAPE",
    "Data",
    "LossWeights",
    "Optimisation",
    "Trained",
    "TrainedObject",
    "TrainingConfig",
    "config_from_dict",
    "config_to_dict",
    "read_config",
    "train",
    "with_whole_paths",
    "write_config",
]

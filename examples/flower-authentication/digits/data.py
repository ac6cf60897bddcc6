"""Where a node's digits come from: a folder that `prepare_dataset.py` wrote, or a share of scikit-learn's copy."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TEST_SHARE = 0.2


def share(number, of):
    """Part `number` (from 0) of the 1,797 digits, dealt out so that no two parts overlap."""
    if not 0 <= number < of:
        raise ValueError(f"partition-id is {number}, but there are only partitions 0 to {of - 1}")
    images, labels = load_digits(return_X_y=True)
    mine = np.random.default_rng(2024).permutation(len(images))[number::of]
    images, labels = images[mine] / 16.0, labels[mine]
    cut = round(len(images) * (1 - TEST_SHARE))
    return {
        "train": (images[:cut], labels[:cut]),
        "test": (images[cut:], labels[cut:]),
    }


def save(parts, folder):
    """Write one node's data to `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, (images, labels) in parts.items():
        np.savez_compressed(folder / f"{split}.npz", images=images, labels=labels)


def load(node_config, split):
    """The `train` or `test` digits of the node that has this configuration."""
    if "dataset-path" in node_config:
        file = Path(str(node_config["dataset-path"])) / f"{split}.npz"
        if not file.is_file():
            raise FileNotFoundError(
                f"{file.absolute()} is missing: run `python prepare_dataset.py`, "
                "and start the SuperNode in the folder that dataset-path is relative to"
            )
        with np.load(file) as arrays:
            return arrays["images"], arrays["labels"]
    if "partition-id" in node_config and "num-partitions" in node_config:
        return share(int(node_config["partition-id"]), int(node_config["num-partitions"]))[split]
    raise KeyError(
        "the node does not know its data: start flower-supernode with --node-config "
        "'dataset-path=\"datasets/digits_part_1\"' or 'partition-id=0 num-partitions=2'"
    )

"""The model, a logistic regression, and the handwritten digits that it learns from."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

NUM_PIXELS = 8 * 8
NUM_CLASSES = 10
TEST_SHARE = 0.2


class Data(NamedTuple):
    """Images of digits and what they show, for training and for testing."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def load_data(partition_id: int, num_partitions: int) -> Data:
    """Give one partition of the digits that come with scikit-learn.

    No digit is in two partitions, and each partition has all ten kinds. There are
    enough of them for about 30 partitions.
    """
    if not 0 <= partition_id < num_partitions:
        raise ValueError(f"there is no partition {partition_id} of {num_partitions}")
    images, labels = load_digits(return_X_y=True)
    mine = np.argsort(labels, kind="stable")[partition_id::num_partitions]
    train_x, test_x, train_y, test_y = train_test_split(
        images[mine] / 16,  # pixels go from 0 to 16
        labels[mine],
        test_size=TEST_SHARE,
        stratify=labels[mine],
        random_state=0,
    )
    return Data(train_x, train_y, test_x, test_y)


def initial_weights() -> list[np.ndarray]:
    """Give the model that has not learned anything: all weights and biases are 0."""
    return [np.zeros((NUM_CLASSES, NUM_PIXELS)), np.zeros(NUM_CLASSES)]


def build_model(weights: list[np.ndarray], iterations: int = 1) -> LogisticRegression:
    """Make a scikit-learn model that has these weights, and trains on from them."""
    model = LogisticRegression(max_iter=iterations, warm_start=True)
    model.classes_ = np.arange(NUM_CLASSES)
    model.coef_, model.intercept_ = weights
    return model


def train(
    weights: list[np.ndarray], x: np.ndarray, y: np.ndarray, iterations: int
) -> tuple[list[np.ndarray], float]:
    """Train for a few iterations. Give the new weights and their loss."""
    model = build_model(weights, iterations)
    with warnings.catch_warnings():
        # To stop early is the point: the next round goes on from there.
        warnings.simplefilter("ignore", category=ConvergenceWarning)
        model.fit(x, y)
    loss = log_loss(y, model.predict_proba(x), labels=model.classes_)
    return [model.coef_, model.intercept_], float(loss)


def evaluate(
    weights: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, float]:
    """Give the loss (cross-entropy) and the share of digits that are read right."""
    model = build_model(weights)
    loss = log_loss(y, model.predict_proba(x), labels=model.classes_)
    return float(loss), float(model.score(x, y))

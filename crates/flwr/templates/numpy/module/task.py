"""The model, a logistic regression, and the examples that it learns from."""

from typing import NamedTuple

import numpy as np

NUM_FEATURES = 20
NUM_EXAMPLES = 1000  # at each node
TEST_SHARE = 0.2
BATCH_SIZE = 32


class Data(NamedTuple):
    """Examples and their labels (0 or 1), for training and for testing."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def load_data(partition_id: int, num_partitions: int) -> Data:
    """Make up the examples of one partition, always the same ones.

    All partitions follow one rule, which is what there is to learn. But each sees
    another part of the world: its examples are shifted, so it has more of one label.
    """
    rule = np.random.default_rng(seed=0).normal(size=NUM_FEATURES)
    rng = np.random.default_rng(seed=partition_id + 1)
    shift = (partition_id + 0.5) / num_partitions - 0.5  # between -0.5 and 0.5

    x = rng.normal(size=(NUM_EXAMPLES, NUM_FEATURES)) + shift * np.sign(rule) / 2
    noise = rng.normal(size=NUM_EXAMPLES)
    y = (x @ rule + noise > 0).astype(np.float64)
    x *= np.geomspace(0.1, 1, NUM_FEATURES)  # weak features take longer to learn

    num_train = round(NUM_EXAMPLES * (1 - TEST_SHARE))
    return Data(x[:num_train], y[:num_train], x[num_train:], y[num_train:])


def initial_weights() -> list[np.ndarray]:
    """Give the model that has not learned anything: a weight per feature, a bias."""
    return [np.zeros(NUM_FEATURES), np.zeros(1)]


def predict(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Give the probability of label 1 for each example."""
    coefficients, bias = weights
    # The logistic function, written so that it cannot overflow.
    return 0.5 + 0.5 * np.tanh((x @ coefficients + bias) / 2)


def train(
    weights: list[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    learning_rate: float,
) -> tuple[list[np.ndarray], float]:
    """Descend the gradient in small batches. Give the new weights and their loss."""
    coefficients, bias = (array.copy() for array in weights)
    rng = np.random.default_rng()
    for _ in range(epochs):
        order = rng.permutation(len(y))
        for start in range(0, len(y), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            error = predict([coefficients, bias], x[batch]) - y[batch]
            coefficients -= learning_rate * error @ x[batch] / len(batch)
            bias -= learning_rate * error.mean()
    loss, _ = evaluate([coefficients, bias], x, y)
    return [coefficients, bias], loss


def evaluate(
    weights: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, float]:
    """Give the loss (cross-entropy) and the share of labels that are right."""
    probability = np.clip(predict(weights, x), 1e-7, 1 - 1e-7)
    loss = -np.mean(y * np.log(probability) + (1 - y) * np.log(1 - probability))
    accuracy = np.mean((probability > 0.5) == y)
    return float(loss), float(accuracy)

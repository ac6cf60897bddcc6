"""Softmax regression: one weight per pixel and digit, one bias per digit."""

import numpy as np

PIXELS = 64
DIGITS = 10


def blank():
    """The model before it has seen anything."""
    return [np.zeros((PIXELS, DIGITS)), np.zeros(DIGITS)]


def probabilities(weights, images):
    """For each image, how likely each digit is."""
    matrix, bias = weights
    scores = images @ matrix + bias
    scores -= scores.max(axis=1, keepdims=True)  # keeps exp() from overflowing
    exps = np.exp(scores)
    return exps / exps.sum(axis=1, keepdims=True)


def train(weights, images, labels, epochs, learning_rate, seed, batch=32):
    """Walk down the cross-entropy in mini-batches. Gives back the new weights and the last epoch's loss."""
    matrix, bias = (part.copy() for part in weights)
    order = np.random.default_rng(seed)
    loss = 0.0
    for _ in range(epochs):
        losses = []
        shuffled = order.permutation(len(images))
        for start in range(0, len(images), batch):
            rows = shuffled[start : start + batch]
            guess = probabilities((matrix, bias), images[rows])
            truth = guess[np.arange(len(rows)), labels[rows]]
            losses.append(-np.log(truth + 1e-12).mean())
            guess[np.arange(len(rows)), labels[rows]] -= 1.0
            matrix -= learning_rate * images[rows].T @ guess / len(rows)
            bias -= learning_rate * guess.mean(axis=0)
        loss = float(np.mean(losses))
    return [matrix, bias], loss


def evaluate(weights, images, labels):
    """Cross-entropy and the share of digits read correctly."""
    guess = probabilities(weights, images)
    truth = guess[np.arange(len(labels)), labels]
    loss = float(-np.log(truth + 1e-12).mean())
    accuracy = float((guess.argmax(axis=1) == labels).mean())
    return loss, accuracy

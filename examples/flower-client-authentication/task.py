"""The model and the data: which of the ten digits is on an image of 8 x 8 pixels."""

import os

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

PARTS = 2
CLASSES = np.arange(10)


def load_data():
    """This owner's share of the 1,797 digits: its number is in the variable PART (1 or 2)."""
    part = int(os.environ.get("PART", "1"))
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(8).permutation(len(labels))
    mine = order[part - 1 :: PARTS]
    cut = len(mine) * 4 // 5
    train, test = mine[:cut], mine[cut:]
    scaled = images / 16.0
    return (scaled[train], labels[train]), (scaled[test], labels[test])


def new_model():
    """A model that knows nothing yet, but the shape of what it will know."""
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.02, random_state=1)
    set_parameters(model, [np.zeros((10, 64)), np.zeros(10)])
    return model


def get_parameters(model):
    return [model.coef_, model.intercept_]


def set_parameters(model, parameters):
    model.classes_ = CLASSES
    model.coef_, model.intercept_ = (np.array(part, dtype=float) for part in parameters)


def train(model, images, labels):
    model.partial_fit(images, labels, classes=CLASSES)


def test(model, images, labels):
    loss = log_loss(labels, model.predict_proba(images), labels=CLASSES)
    return float(loss), float(model.score(images, labels))

"""The arithmetic of the app, without Flower: the same numbers to the last bit, wherever it is done.

`python -m steady.model SEED ROUNDS NODES HEAVY_EVERY` prints what the ServerApp will print.
"""

import hashlib
import sys

import numpy as np

SMALL = 500  # numbers: 4 KB
LARGE = 40_000  # numbers: 320 KB

Arrays = list[np.ndarray]


def first(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SMALL)


def question(model: np.ndarray, number: int, heavy_every: int) -> Arrays:
    """What the nodes are sent: the model, and now and then a large array that depends on it."""
    if number % heavy_every:
        return [model]
    return [model, np.resize(model, LARGE) * np.arange(LARGE)]


def answer(arrays: Arrays, value: float, number: int) -> Arrays:
    """What the node whose configuration says `value` makes of them in round `number`."""
    return [array / (1.0 + value) + value * number * 0.01 for array in arrays]


def aggregate(answers: list[Arrays]) -> np.ndarray:
    """The next model; sums are made in the order of the list."""
    total = np.zeros(SMALL)
    for arrays in answers:
        total = total + arrays[0]
        for large in arrays[1:]:
            total = total + large.reshape(-1, SMALL).mean(axis=0) * 1e-5
    return total / len(answers)


def digest(model: np.ndarray) -> str:
    return hashlib.sha256(model.tobytes()).hexdigest()


def told_of_round(number: int, replies: int, model: np.ndarray) -> str:
    return f"round {number}: replies {replies} digest {digest(model)}"


def told_at_the_end(model: np.ndarray) -> str:
    return f"final {digest(model)}"


def main(seed: int, rounds: int, nodes: int, heavy_every: int) -> None:
    model = first(seed)
    for number in range(1, rounds + 1):
        arrays = question(model, number, heavy_every)
        model = aggregate([answer(arrays, float(n + 1), number) for n in range(nodes)])
        print(told_of_round(number, nodes, model))
    print(told_at_the_end(model))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

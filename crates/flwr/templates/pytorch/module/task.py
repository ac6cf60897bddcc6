"""The model, a small network, and the handwritten digits that it learns from."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

NUM_CLASSES = 10
TEST_SHARE = 0.2


class Net(nn.Module):
    """A convolutional network for images of 8 x 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.hidden = nn.Linear(16 * 4 * 4, 64)
        self.output = nn.Linear(64, NUM_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Give a score for each image and class."""
        x = F.max_pool2d(F.relu(self.conv(images)), kernel_size=2)
        x = F.relu(self.hidden(x.flatten(start_dim=1)))
        return self.output(x)


def load_data(
    partition_id: int, num_partitions: int
) -> tuple[TensorDataset, TensorDataset]:
    """Give one partition of the digits that come with scikit-learn.

    The first data set is for training, the second for testing. No digit is in two
    partitions.
    """
    if not 0 <= partition_id < num_partitions:
        raise ValueError(f"there is no partition {partition_id} of {num_partitions}")
    digits = load_digits()
    # Pixels go from 0 to 16. The network wants one channel: (digits, 1, 8, 8).
    images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(digits.target, dtype=torch.int64)

    # Every partition must be cut from the same order, so its seed is fixed.
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    mine = order[partition_id::num_partitions]
    num_test = round(len(mine) * TEST_SHARE)
    test, train = mine[:num_test], mine[num_test:]
    return (
        TensorDataset(images[train], labels[train]),
        TensorDataset(images[test], labels[test]),
    )


def train(
    net: Net,
    dataset: TensorDataset,
    epochs: int,
    learning_rate: float,
    batch_size: int,
) -> float:
    """Train the network in place. Give the mean loss of the last epoch."""
    batches = DataLoader(dataset, batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=0.9)
    net.train()
    for _ in range(epochs):
        total_loss = 0.0
        for images, labels in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(labels)
    return total_loss / len(dataset)


def evaluate(net: Net, dataset: TensorDataset) -> tuple[float, float]:
    """Give the loss (cross-entropy) and the share of digits that are read right."""
    images, labels = dataset.tensors
    net.eval()
    with torch.no_grad():
        scores = net(images)
    loss = F.cross_entropy(scores, labels).item()
    accuracy = (scores.argmax(dim=1) == labels).float().mean().item()
    return loss, accuracy

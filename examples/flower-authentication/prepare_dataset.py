"""Deal scikit-learn's 1,797 handwritten digits out to n data owners (default 2).

    python prepare_dataset.py [n]

writes datasets/digits_part_1 … datasets/digits_part_n. Nothing is downloaded.
"""

import sys

from digits import data


def main() -> None:
    try:
        owners = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    except ValueError:
        sys.exit(f"{sys.argv[1]!r} is not a number. Usage: python prepare_dataset.py [n]")
    if not 1 <= owners <= 500:
        sys.exit(f"{owners} data owners: give a number from 1 to 500")
    for number in range(owners):
        parts = data.share(number, owners)
        folder = f"datasets/digits_part_{number + 1}"
        data.save(parts, folder)
        counts = ", ".join(f"{len(labels)} to {split}" for split, (_, labels) in parts.items())
        print(f"{folder}: {counts}")


if __name__ == "__main__":
    main()

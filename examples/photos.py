"""Photographs that scikit-image and scikit-learn ship, one path a line: real pictures without a download.

``python examples/photos.py FOLDER`` copies them to a folder first.
"""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

PHOTOS = (
    ("skimage", "data/chelsea.png"),  # a cat
    ("skimage", "data/coffee.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/astronaut.png"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)


def photos() -> list[Path]:
    """The paths of the six photographs. Exits with one line when a package is missing."""
    found = []
    for package, name in PHOTOS:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed; install the photographs: pip install 'compoundnet[demo]'")
        found.append(Path(spec.origin).parent / name)
    return found


def copied(folder: Path) -> list[Path]:
    """The paths of copies in a folder, which are shorter."""
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(photo, folder / photo.name)) for photo in photos()]


if __name__ == "__main__":
    print("\n".join(map(str, copied(Path(sys.argv[1])) if sys.argv[1:] else photos())))

"""The pictures that accuracy is compared on, as folders with `train` and `val` and a folder per class."""
import csv
import gzip
import pathlib
import subprocess

DIGITS = pathlib.Path("/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz")
DIGITS_HELD_OUT = 597


def glyphs(difficulty):
    """Characters drawn by Quantry itself."""
    def make(folder, trainer, size, train, val):
        uri = (f"synthetic://glyphs?classes=10&size={size}&train={train}&val={val}&seed=11"
               f"&difficulty={difficulty}")
        subprocess.run([trainer, "dataset", uri, "--output", folder], check=True,
                       stdout=subprocess.DEVNULL)
    return make


def make_digits(folder, trainer, size, train, val):
    """Digits that 43 people wrote: the 1,797 pictures of 8 x 8 of UCI's "Optical Recognition of
    Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998), as scikit-learn ships them, enlarged. The
    last 597, which other people wrote than the first, are held out."""
    from PIL import Image  # pylint: disable=import-outside-toplevel
    del trainer
    with gzip.open(DIGITS, "rt") as file:
        rows = [[int(float(cell)) for cell in row] for row in csv.reader(file)]
    parts = {"train": rows[:-DIGITS_HELD_OUT][:train], "val": rows[-DIGITS_HELD_OUT:][:val]}
    for part, pictures in parts.items():
        for index, row in enumerate(pictures):
            grey = bytes(min(255, 16 * value) for value in row[:64])
            picture = Image.frombytes("L", (8, 8), grey).resize((size, size), Image.BICUBIC)
            place = folder / part / f"digit_{row[64]}"
            place.mkdir(parents=True, exist_ok=True)
            picture.convert("RGB").save(place / f"{index:05}.png")


# ResNet-18 gets every one of "glyphs" right; "hard_glyphs" are for it.
FOLDERS = {"glyphs": glyphs(0.35), "hard_glyphs": glyphs(1.0), "digits": make_digits}

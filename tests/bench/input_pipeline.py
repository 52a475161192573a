#!/usr/bin/env python3
"""Pictures per second that the input pipeline delivers, Quantry's and PyTorch's side by side on this machine.

Both read the same folder of JPEG files, cut a random part of 8 % of the area or more out of each, resize it, mirror
half of them, and hand over normalised float32 batches. They take turns, so that what else the machine does meets both.
The pictures are made for this: colours that vary smoothly, with fine noise, of the size and weight of ImageNet's
(500 x 375, about 100 kB).

usage: input_pipeline.py --program build/release/tests/quantry_bench_loader
           [--workers 1,2] [--pictures 512] [--batch 32] [--pixels 224] [--rounds 5] [--batches 8]
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT = 500, 375
AHEAD = 8  # batches, more than either reads while it waits for its turn: these are not timed


def make_pictures(folder, count):
    """`count` JPEG files of two classes below `folder`/train; their mean size in kB."""
    random = numpy.random.default_rng(1)
    sizes = []
    for i in range(count):
        path = pathlib.Path(folder) / "train" / "ab"[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=numpy.uint8))
        smooth = numpy.asarray(coarse.resize((WIDTH, HEIGHT), Image.BICUBIC), dtype=numpy.float32)
        noisy = smooth + random.normal(0, 12, smooth.shape)
        Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)).save(path, quality=85)
        sizes.append(path.stat().st_size / 1000)
    return statistics.mean(sizes)


class Contestant:
    """A process that reads batches when it is told to."""

    def __init__(self, name, command):
        self.name = name
        self.rates = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_NUM_THREADS": "1"})
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"{name} does not start")

    def read(self, batches):
        """Seconds that it took."""
        self.process.stdin.write(f"{batches}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def measure(workers, folder, args):
    given = ["--folder", folder, "--batch", str(args.batch), "--pixels", str(args.pixels), "--workers", str(workers)]
    contestants = [
        Contestant("PyTorch DataLoader", [sys.executable, str(HERE / "torch_loader.py"), *given]),
        Contestant("Quantry", [args.program, *given])]
    for _ in range(args.rounds):
        for contestant in contestants:
            contestant.read(AHEAD)
            contestant.rates.append(args.batches * args.batch / contestant.read(args.batches))
    for contestant in contestants:
        contestant.stop()
    base = statistics.median(contestants[0].rates)
    for contestant in contestants:
        low, median, high = statistics.quantiles(contestant.rates, n=4)
        print(f"| {workers} | {contestant.name} | {median:.0f} ({low:.0f} to {high:.0f}) | "
              f"{statistics.median(contestant.rates) / base:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--workers", default="1,2")
    for name, value in (("pictures", 512), ("batch", 32), ("pixels", 224), ("rounds", 5), ("batches", 8)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = make_pictures(folder, args.pictures)
        print(f"{args.pictures} pictures of {WIDTH} x {HEIGHT}, {size:.0f} kB on average, to {args.pixels} px\n")
        print("| workers | | pictures/s (quartiles) | of PyTorch's |\n| --- | --- | --- | --- |")
        for workers in args.workers.split(","):
            measure(int(workers), folder, args)


if __name__ == "__main__":
    main()

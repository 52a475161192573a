#!/usr/bin/env python3
"""How the cost of a training step grows with the batch and with the picture.

One network, trained by Quantry with one of step_time.py's contestants: in one table at batches that double, in another
at pictures whose sides grow by the square root of two, each over a factor of 16. All sizes take turns. Prints
the median step and what it costs per picture, or per pixel, to that of the largest.

usage: step_scaling.py --program build/release/tests/quantry_bench_step
           [--network mobilenet_v2] [--contestant quantry_qat] [--rounds 5] [--steps 2] [--threads 2]
"""
import argparse
import pathlib
import statistics

import step_time

BATCHES = [(4, 96), (8, 96), (16, 96), (32, 96), (64, 96)]
PICTURES = [(8, 64), (8, 96), (8, 128), (8, 192), (8, 256)]


def table(cases, unit, work, args):
    """`work` of (batch, pixels): the units that a step does."""
    contestants = [step_time.Contestant(args.contestant, (args.network, str(batch), str(pixels)), args)
                   for batch, pixels in cases]
    for _ in range(args.rounds + 1):  # the first to warm up
        for contestant in contestants:
            contestant.run(args.steps)
    medians = [statistics.median(contestant.finish()["seconds"][args.steps:]) for contestant in contestants]
    costs = [median / work(*case) for median, case in zip(medians, cases)]
    print(f"\n| batch | work | step, ms | ms per {unit} | of the largest's |\n| --- | --- | --- | --- | --- |")
    for case, median, cost in zip(cases, medians, costs):
        share = work(*case) / work(*cases[0])
        print(f"| {case[0]} x {case[1]} px | {share:.2g} | {1e3 * median:.0f} | {1e3 * cost:.2f} | "
              f"{cost / costs[-1]:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--network", default="mobilenet_v2")
    parser.add_argument("--contestant", default="quantry_qat", help=", ".join(step_time.QUANTRY))
    for name, value in (("rounds", 5), ("steps", 2), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    print(f"{args.network}, {step_time.title(args.contestant)}")
    table(BATCHES, "picture", lambda batch, pixels: batch, args)
    table(PICTURES, "10,000 pixels", lambda batch, pixels: batch * pixels * pixels / 1e4, args)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Speed and accuracy of training with each training.precision on this machine.

Trains networks on glyphs for the same steps with float32, bf16 and float64 in turn, and prints pictures per second
(of training alone, from the report's train_seconds) and top-1 of the exported file.

    tests/bench/training_precision.py --trainer build/release/bin/quantry-trainer
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile


def train(args, model, precision):
    """The report of one run."""
    spec = {"job": {"mode": "MODE_QAT", "model": {"builtin": {"name": model}},
                    "data": {"trainUri": f"synthetic://glyphs?classes=16&size={args.size}"
                                         f"&train={args.batch * args.steps}&val={args.val}",
                             "decodeThreads": 1},
                    "training": {"batchSize": args.batch, "epochs": args.epochs, "threads": args.threads,
                                 "calibrationBatches": 1, "learningRate": args.learning_rate,
                                 "precision": precision}}}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "spec.json").write_text(json.dumps(spec))
        subprocess.run([args.trainer, "--spec", folder / "spec.json", "--output", folder / "out"],
                       stdout=subprocess.DEVNULL, check=True)
        return json.loads((folder / "out" / "report.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--models", default="mobilenet_v2,resnet18")
    parser.add_argument("--precisions", default="float32,bf16,float64")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20, help="per epoch")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--val", type=int, default=16, help="pictures that top-1 is of")
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    precisions = args.precisions.split(",")
    pictures = args.batch * args.steps * args.epochs
    print(f"QAT, {args.size} px, batch {args.batch}, {args.threads} threads, {args.repeats} runs in turn")
    print("| network | precision | pictures/s (median) | all runs | against float32 | top-1 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for model in args.models.split(","):
        speeds = {precision: [] for precision in precisions}
        top1 = {}
        for _ in range(args.repeats):
            for precision in precisions:
                report = train(args, model, precision)
                speeds[precision].append(pictures / report["train_seconds"])
                top1[precision] = report["accuracy"]["artifact_top1"]
        base = statistics.median(speeds[precisions[0]])
        for precision, values in speeds.items():
            median = statistics.median(values)
            every = ", ".join(f"{value:.1f}" for value in values)
            print(f"| {model} | {precision} | {median:.1f} | {every} | {median / base:.2f} | "
                  f"{top1[precision]:.1%} |", flush=True)


if __name__ == "__main__":
    main()

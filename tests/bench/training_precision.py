#!/usr/bin/env python3
"""Speed and accuracy of training with each training.precision on this machine.

Trains networks on glyphs for the same steps with float32, bf16 and float64 in turn, each time with another seed, and
prints pictures per second (of training alone, from the report's train_seconds) and the mean and standard deviation of
the exported files' top-1.

    tests/bench/training_precision.py --trainer build/release/bin/quantry-trainer
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile


def train(args, model, bits, precision, seed):
    """The report of one run."""
    spec = {"job": {"mode": "MODE_QAT", "model": {"builtin": {"name": model}},
                    "data": {"trainUri": f"synthetic://glyphs?classes=16&size={args.size}"
                                         f"&train={args.batch * args.steps}&val={args.val}",
                             "decodeThreads": 1},
                    "training": {"batchSize": args.batch, "epochs": args.epochs, "threads": args.threads,
                                 "calibrationBatches": 1, "learningRate": args.learning_rate,
                                 "seed": seed, "precision": precision},
                    "quantConfig": json.dumps({"weight_bits": bits, "activation_bits": bits})}}
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
    parser.add_argument("--bits", default="8", help="of weights and activations; 8,4: both in turn")
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
    print("| network | bits | precision | pictures/s (median) | against float32 | top-1 (deviation) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for model in args.models.split(","):
        for bits in map(int, args.bits.split(",")):
            speeds = {precision: [] for precision in precisions}
            top1 = {precision: [] for precision in precisions}
            for seed in range(args.repeats):
                for precision in precisions:
                    report = train(args, model, bits, precision, seed)
                    speeds[precision].append(pictures / report["train_seconds"])
                    top1[precision].append(report["accuracy"]["artifact_top1"])
            base = statistics.median(speeds[precisions[0]])
            for precision, values in speeds.items():
                median = statistics.median(values)
                spread = statistics.stdev(top1[precision]) if args.repeats > 1 else 0
                print(f"| {model} | {bits} | {precision} | {median:.1f} | {median / base:.2f} | "
                      f"{statistics.mean(top1[precision]):.2%} ({spread:.2%}) |", flush=True)


if __name__ == "__main__":
    main()

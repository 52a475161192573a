#!/usr/bin/env python3
"""What bias correction and adaptive rounding bring to quantization without training, at few bits.
Writes a Markdown section.

usage: ptq_rounding.py --trainer build/release/bin/quantry-trainer
           [--work FOLDER] [--output FILE.md] [--seeds 0,1,2]

FOLDER keeps every run: one that was cut off goes on where it was.
"""
import argparse
import json
import pathlib
import statistics
import tempfile

import trainer_runs

NETWORK, WIDTH, SIZE, TRAIN, VAL, EPOCHS = "mobilenet_v2", 0.5, 32, 12000, 2000, 8
FLOAT_SEED = 1
VARIANTS = {"nearest": {}, "bias correction": {"correctBias": True},
            "adaptive rounding": {"adaptiveRounding": True}}
BITS = ((4, 8), (4, 4), (3, 8))
RECIPE = {"batchSize": 32, "schedule": "cosine", "calibrationBatches": 16, "threads": 1}
NOTES = f"""{NETWORK} of width {WIDTH} on glyphs (10 classes, {SIZE} pixels, {VAL} evaluation pictures), trained in float for {EPOCHS}
epochs with {TRAIN} pictures, then quantized without training: calibration on {RECIPE["calibrationBatches"]} batches of
{RECIPE["batchSize"]}, which the seed chooses. Top-1 of the written file in percent, mean and standard deviation of {{count}} seeds;
float: {{float_top1:.2f}}. Made by `tests/bench/ptq_rounding.py`.
"""


class Bench:
    def __init__(self, args):
        self.args = args

    def run(self, name, seed, job, model=None):
        data = {"imageSize": SIZE, "randomCrop": False, "randomFlip": False,
                "trainUri": f"synthetic://glyphs?classes=10&size={SIZE}&seed=11&difficulty=0.35"
                            f"&train={TRAIN}&val={VAL}"}
        job = dict(job, data=data, training=dict(RECIPE, seed=seed, **job.get("training", {})))
        return trainer_runs.run(self.args.trainer, self.args.work, f"{name}_{seed}", job, model)

    def floating(self):
        report = self.run("float", FLOAT_SEED, {
            "mode": "MODE_FLOAT", "training": {"epochs": EPOCHS, "learningRate": 0.03},
            "model": {"builtin": {"name": NETWORK, "width": WIDTH}}})
        return report["accuracy"]["float_top1"]

    def quantized(self, seed, bits, variant):
        config = {"weight_bits": bits[0], "activation_bits": bits[1]}
        job = {"mode": "MODE_PTQ", "quantConfig": json.dumps(config), "ptq": VARIANTS[variant]}
        report = self.run(f"w{bits[0]}a{bits[1]}_{variant.replace(' ', '_')}", seed, job,
                          self.args.work / f"float_{FLOAT_SEED}" / "model.float.onnx")
        seconds = report["seconds"]
        return (report["accuracy"]["artifact_top1"],
                seconds.get("correcting", 0) + seconds.get("rounding", 0))


def table_of(bench, seeds):
    lines = ["| bits | " + " | ".join(VARIANTS) + " |", "|" + " --- |" * (len(VARIANTS) + 1)]
    times = {variant: [] for variant in VARIANTS}
    for bits in BITS:
        cells = []
        for variant in VARIANTS:
            outcomes = [bench.quantized(seed, bits, variant) for seed in seeds]
            cells.append(trainer_runs.percent([accuracy for accuracy, _ in outcomes]))
            times[variant] += [seconds for _, seconds in outcomes]
        lines.append(f"| W{bits[0]}A{bits[1]} | " + " | ".join(cells) + " |")
    lines.append("| seconds that it takes, one thread | " +
                 " | ".join(f"{statistics.median(times[v]):.1f}" for v in VARIANTS) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainer", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--seeds", default="0,1,2")
    args = parser.parse_args()
    args.work = args.work or pathlib.Path(tempfile.mkdtemp())
    seeds = [int(seed) for seed in args.seeds.split(",")]
    bench = Bench(args)
    text = NOTES.format(count=len(seeds), float_top1=100 * bench.floating()) + "\n"
    text += table_of(bench, seeds)
    print(text)
    if args.output:
        args.output.write_text(text)


if __name__ == "__main__":
    main()

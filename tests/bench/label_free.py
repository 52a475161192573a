#!/usr/bin/env python3
"""How much of what QAT with labels recovers at few bits distillation recovers without any label. Writes
a Markdown section.

usage: label_free.py --trainer build/release/bin/quantry-trainer
           [--work FOLDER] [--output FILE.md] [--seeds 0,1,2] [--bits 4] [--quick]

FOLDER keeps every run: one that was cut off goes on where it was.
--quick: one seed, few pictures, one epoch: shows that it runs, not how good anything is.
"""
import argparse
import json
import pathlib
import statistics

import picture_folders
import trainer_runs

FULL = {"size": 32, "train": 2400, "val": 2000, "float_train": 12000, "float_epochs": 8, "epochs": 4,
        "seeds": "0,1,2"}
QUICK = {"size": 32, "train": 320, "val": 64, "float_train": 1200, "float_epochs": 4, "epochs": 1,
         "seeds": "0"}
NETWORKS = {"mobilenet_v2": 0.5, "mobilenet_v1": 0.5}  # width
RECIPE = {"batchSize": 32, "learningRate": 0.005, "schedule": "cosine", "calibrationBatches": 8,
          "threads": 1}
FLOAT_RATE, FLOAT_SEED = 0.03, "1"
NOTES = """Glyphs (10 classes, {size} pixels, {train} for training, {val} for the figure); {float_epochs} epochs in float
with {float_train} pictures, then each method starts from that model. PTQ: calibration on {calibrationBatches} batches. With labels: cross entropy,
{epochs} epochs. Without: the same recipe on a list of the pictures' paths alone (`csv://...?task=none`), Kullback-Leibler
divergence from the float model's outputs. Top-1 of the written file in percent, mean and standard deviation over
{count} seeds. Recovered: (without - PTQ) / (with - PTQ). Made by `tests/bench/label_free.py`.
"""


def write_list(folder, part):
    """The paths of the pictures of one part, without their labels."""
    path = folder / f"{part}.csv"
    pictures = sorted(picture.relative_to(folder) for picture in (folder / part).glob("*/*.png"))
    path.write_text("".join(f"{picture}\n" for picture in pictures))
    return f"csv://{path}?task=none"


class Bench:
    def __init__(self, args, settings):
        self.args = args
        self.settings = settings
        self.folder = args.work / "glyphs"
        if not self.folder.exists():
            picture_folders.FOLDERS["glyphs"](self.folder, args.trainer, settings["size"],
                                              settings["train"], settings["val"])
        picture = {"imageSize": settings["size"], "randomCrop": False, "randomFlip": False}
        many = (f"synthetic://glyphs?classes=10&size={settings['size']}&seed=11&difficulty=0.35"
                f"&train={settings['float_train']}&val={settings['val']}")
        self.for_float = dict(picture, trainUri=many)
        self.labelled = dict(picture, trainUri=f"file://{self.folder}")
        self.unlabelled = dict(picture, trainUri=write_list(self.folder, "train"),
                               evalUri=write_list(self.folder, "val"))

    def run(self, name, job, model=None):
        return trainer_runs.run(self.args.trainer, self.args.work, name, job, model)

    def float_model(self, network):
        name = f"{network}_float"
        report = self.run(name, {
            "mode": "MODE_FLOAT", "data": self.for_float,
            "model": {"builtin": {"name": network, "width": NETWORKS[network]}},
            "training": dict(RECIPE, epochs=self.settings["float_epochs"],
                             learningRate=FLOAT_RATE, seed=FLOAT_SEED)})
        return report["accuracy"]["float_top1"], self.args.work / name / "model.float.onnx"

    def quantized(self, network, model, method, seed):
        """Top-1 of the file, on the labelled pictures."""
        bits = self.args.bits
        name = f"{network}_{bits}_{method}_{seed}"
        job = {"mode": "MODE_PTQ" if method == "ptq" else "MODE_QAT",
               "data": self.unlabelled if method == "label_free" else self.labelled,
               "training": dict(RECIPE, epochs=self.settings["epochs"], seed=str(seed)),
               "quantConfig": json.dumps({"weight_bits": bits, "activation_bits": bits})}
        if method == "label_free":
            job["training"]["distillation"] = {"taskWeight": 0}
        report = self.run(name, job, model)
        if method == "label_free":
            report = self.run(f"{name}_evaluated", {"mode": "MODE_EVALUATE", "data": self.labelled},
                              self.args.work / name / "model.onnx")
        return report["accuracy"]["artifact_top1"]

    def row(self, network, seeds):
        float_top1, model = self.float_model(network)
        ptq, labelled, free = [[self.quantized(network, model, method, seed) for seed in seeds]
                               for method in ("ptq", "labelled", "label_free")]
        base = statistics.mean(ptq)
        gained = statistics.mean(labelled) - base
        recovered = f"{(statistics.mean(free) - base) / gained:.0%}" if gained > 0 else "nothing to"
        bits = self.args.bits
        return [network, f"W{bits}A{bits}", f"{100 * float_top1:.2f}", trainer_runs.percent(ptq),
                trainer_runs.percent(labelled), trainer_runs.percent(free), recovered]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/bench_label_free"))
    parser.add_argument("--output", type=pathlib.Path, help="else standard output")
    parser.add_argument("--seeds")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    settings = QUICK if args.quick else FULL
    seeds = [int(seed) for seed in (args.seeds or settings["seeds"]).split(",")]
    args.work = args.work.resolve()
    args.trainer = args.trainer.resolve()
    bench = Bench(args, settings)
    lines = ["## Without labels", "", NOTES.format(**settings, **{"count": len(seeds)},
                                                   calibrationBatches=RECIPE["calibrationBatches"]),
             "| network | bits | float | PTQ | QAT with labels | distillation without | recovered |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for network in NETWORKS:
        lines.append("| " + " | ".join(bench.row(network, seeds)) + " |")
    text = "\n".join(lines) + "\n"
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Mixed precision against one width for all layers, at the same mean of weight bits and at the same
bit operations. Writes a Markdown section.

usage: mixed_precision.py --trainer build/release/bin/quantry-trainer
           [--work FOLDER] [--output FILE.md] [--seeds 0,1,2] [--bits 5,3]
           [--network mobilenet_v2] [--width 0.5] [--quick]

--quick: one seed, few pictures, one epoch: shows that it runs, not how good anything is.
"""
import argparse
import json
import pathlib
import time

import trainer_runs

FULL = {"train": 2400, "val": 2000, "float_train": 12000, "float_epochs": 8, "epochs": 3, "seeds": "0,1,2", "bits": "5,3"}
QUICK = {"train": 320, "val": 64, "float_train": 1200, "float_epochs": 4, "epochs": 1, "seeds": "0", "bits": "4"}
RECIPE = {"batchSize": 32, "learningRate": 0.005, "schedule": "cosine", "calibrationBatches": 8}
NOTES = """{network} of width {width} on glyphs (10 classes, 32 pixels, {train} training and {val} evaluation
pictures), {float_epochs} epochs in float with {float_train} pictures, then {epochs} of QAT from the same float model with the same recipe: batch
{batchSize}, rate {learningRate}, cosine, `channel_wise_abs_max` weights, `moving_average_abs_max` activations. Layers were
measured on the first 512 evaluation pictures. "Same mean": `mean_weight_bits` equal to the uniform width, the input
of a layer with the bits of its weight. "Weights only": the same, but all inputs have the uniform width. "Same
operations": `bit_operations` equal to those of the uniform width. Top-1 of the fake-quantized model in percent, mean
and standard deviation of {seed_count} seeds; float: {float_top1:.2f}. Made by `tests/bench/mixed_precision.py` in
{minutes:.0f} minutes on two CPU cores that other work shared.
"""


def run(args, name, job, model_path=None):
    return trainer_runs.run(args.trainer, args.work, name, job, model_path)


def pictures(train, val):
    return {"trainUri": f"synthetic://glyphs?classes=10&size=32&train={train}&val={val}&seed=11"
                        "&difficulty=0.35", "randomCrop": False, "randomFlip": False}


def quantized_job(data, settings, seed, bits, extra):
    job = {"data": data, "quantConfig": json.dumps({"weight_bits": bits, "activation_bits": bits}),
           "training": dict(RECIPE, epochs=settings["epochs"], seed=str(seed))}
    job.update(extra)
    return job


def variants(bits, operations):
    """Columns: name, and what the job has beside the uniform one."""
    mixed = "MODE_MIXED_PRECISION"
    yield "uniform", {"mode": "MODE_QAT"}
    yield "same mean", {"mode": mixed, "mixedPrecision": {"meanWeightBits": bits}}
    yield "weights only", {"mode": mixed, "mixedPrecision": {"meanWeightBits": bits, "weightsOnly": True}}
    yield "same operations", {"mode": mixed, "mixedPrecision": {"bitOperations": operations}}


def uniform_operations(args, data, float_model, settings, bits):
    """Of the uniform width, from a choice that has no choice: the mean is the fewest candidate."""
    job = quantized_job(data, dict(settings, epochs=0), 0, 8, {
        "mode": "MODE_MIXED_PRECISION", "sensitivity": {"maxExamples": 1},
        "mixedPrecision": {"meanWeightBits": bits, "candidateBits": [bits, 8]}})
    report = run(args, f"operations_{bits}", job, float_model)
    macs = sum(layer["macs"] for layer in report["mixed_precision"]["layers"])
    return macs * bits * bits


def render(args, settings, seeds, float_report, seconds, names, rows):
    lines = ["## Mixed precision", "", NOTES.format(
        **settings | RECIPE | {"network": args.network, "width": args.width,
                               "seed_count": len(seeds), "minutes": seconds / 60,
                               "float_top1": 100 * float_report["accuracy"]["float_top1"]})]
    lines.append("| bits | " + " | ".join(names) + " |")
    lines.append("|" + " --- |" * (len(names) + 1))
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trainer", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/bench_mixed_precision"))
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--seeds")
    parser.add_argument("--bits")
    parser.add_argument("--network", default="mobilenet_v2")
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    settings = QUICK if args.quick else FULL
    seeds = [int(seed) for seed in (args.seeds or settings["seeds"]).split(",")]
    widths = [int(bits) for bits in (args.bits or settings["bits"]).split(",")]
    start = time.monotonic()
    data = pictures(settings["train"], settings["val"])
    float_report = run(args, "float", {
        "mode": "MODE_FLOAT", "model": {"builtin": {"name": args.network, "width": args.width}}, 
        "data": pictures(settings["float_train"], settings["val"]),
        "training": dict(RECIPE, epochs=settings["float_epochs"], learningRate=0.03)})
    float_model = args.work / "float" / "model.float.onnx"

    names = []
    rows = []
    for bits in widths:
        operations = uniform_operations(args, data, float_model, settings, bits)
        cells = [str(bits)]
        names = []
        for name, extra in variants(bits, operations):
            names.append(name)
            scores = []
            mixed = {}
            for seed in seeds:
                job = quantized_job(data, settings, seed, bits, extra)
                report = run(args, f"{name.replace(' ', '_')}_{bits}_{seed}", job, float_model)
                scores.append(report["accuracy"]["fake_quant_top1"])
                mixed = report.get("mixed_precision", {})
            note = f", mean {mixed['mean_weight_bits']:.2f} bits" if name == "same operations" else ""
            if name == "same mean":
                note = f", {mixed['bit_operations'] / operations:.2f} × operations"
            cells.append(trainer_runs.percent(scores) + note)
            print(bits, name, cells[-1], flush=True)
        rows.append(cells)
        # After each width, so that a run that is cut short leaves what it has.
        section = render(args, settings, seeds, float_report, time.monotonic() - start, names, rows)
        if args.output:
            args.output.write_text(section)
    print(section)


if __name__ == "__main__":
    main()

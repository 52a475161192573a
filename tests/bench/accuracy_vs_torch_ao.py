#!/usr/bin/env python3
"""Quantry and torch.ao QAT side by side: same float weights, pictures, order of the pictures, epochs and
optimizer. Writes a Markdown table.

usage: accuracy_vs_torch_ao.py --trainer build/release/bin/quantry-trainer
           [--work FOLDER] [--output docs/accuracy.md] [--seeds 0,1,2] [--quick]
           [--pictures glyphs,digits] [--networks mobilenet_v2,resnet18] [--bits 8,4]
           [--contestants torch.ao,moving_average_abs_max,bf16,PACT,LSQ]

FOLDER/results.json keeps what was measured: a comparison that was cut off goes on where it was.
--quick: one seed, few pictures, one epoch: shows that it runs, not how good anything is.
"""
import argparse
import copy
import json
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import picture_folders  # noqa: E402
import safetensors_file  # noqa: E402
import torch  # noqa: E402
import torch_ao_qat  # noqa: E402

CLASSES = 10
# "float": pictures and epochs of the float training.
FULL = {"size": 32, "train": 2400, "val": 2000, "seeds": "0,1,2", "epochs": 3,
        "float": {"glyphs": (12000, 8), "hard_glyphs": (12000, 8), "digits": (1200, 40)}}
QUICK = {"size": 32, "train": 320, "val": 64, "seeds": "0", "epochs": 1,
         "float": {"glyphs": (1200, 4), "hard_glyphs": (1200, 4), "digits": (1200, 2)}}
NETWORKS = {"mobilenet_v2": 0.5, "resnet18": 1.0}  # width
RECIPE = {"batchSize": 32, "learningRate": 0.005, "momentum": 0.9, "weightDecay": 1e-4,
          "schedule": "cosine", "calibrationBatches": 8}
FLOAT_RATE = 0.03
# Of each of ours: quant_config, and what it changes in the recipe.
OURS = {
    "moving_average_abs_max": ({}, {}),
    "bf16": ({}, {"precision": "bf16"}),
    "PACT": ({"activation_preprocess_type": "PACT"}, {}),
    "LSQ": ({"weight_quantize_type": "channel_wise_lsq_weight",
             "activation_quantize_type": "lsq_act"}, {}),
}
NOTES = """
Same for both: the float weights each run starts from, the pictures (no cropping, no mirroring), their order in
each epoch, batch size, number of epochs, SGD with momentum, a rate that falls along a cosine, the same decay on every parameter,
BatchNorm in training mode to the end, all layers at the same number of bits, channel-wise weights, moving-average
observers (rate 0.9) that go on observing while training, and start from {calibrationBatches} batches.

Different: torch.ao quantizes activations asymmetrically (0 to 2^b - 1) and where its FX backend configuration says so,
Quantry those that are never negative from 0 on and the others symmetrically. torch.ao folds BatchNorm into the weight that it
fake-quantizes, Quantry trains unfolded and folds at export. In LSQ and PACT steps and alphas are learned. torch.ao
can't export below 8 bits; its column is the fake-quantized network, as is Quantry's, with the written file beside it.
"""


def make_data(pictures, args, settings, train, work):
    sizes = {"size": settings["size"], "train": train, "val": settings["val"]}
    folder = work / "_".join([pictures] + [str(size) for size in sizes.values()])
    if not folder.exists():
        picture_folders.FOLDERS[pictures](folder, args.trainer, **sizes)
    return folder


class Results:
    """What was measured, by name, in a file."""

    def __init__(self, path):
        self.path = path
        self.values = json.loads(path.read_text()) if path.exists() else {}

    def get(self, key, measure):
        if key not in self.values:
            start = time.monotonic()
            self.values[key] = {"value": measure(), "seconds": round(time.monotonic() - start, 1)}
            self.path.write_text(json.dumps(self.values, indent=1))
        return self.values[key]["value"]

    def seconds(self):
        return sum(entry["seconds"] for entry in self.values.values())


def train_float(name, pictures, args, settings, work):
    """The float network, and the file of its weights for Quantry."""
    torch.manual_seed(5)
    model = torch_ao_qat.make_network(name, NETWORKS[name], CLASSES)
    kept = work / f"{name}.pt"
    if kept.exists():
        model.load_state_dict(torch.load(kept))
        return model
    count, epochs = settings["float"][pictures]
    folder = make_data(pictures, args, settings, count, work.parent)
    torch_ao_qat.train(model, torch_ao_qat.read_folder(folder / "train"),
                       dict(RECIPE, epochs=epochs, learningRate=FLOAT_RATE), seed=5)
    safetensors_file.write(work / f"{name}.safetensors", model.state_dict())
    torch.save(model.state_dict(), kept)
    return model


def run_quantry(args, name, config, recipe, settings, seed, folder, work):
    """Top-1 in percent, fake-quantized and of the written file."""
    output = work / f"run_{name}"
    subprocess.run(["rm", "-rf", output], check=True)
    spec = {
        "weightsPath": str(work / f"{name}.safetensors"),
        "job": {"mode": "MODE_QAT",
                "model": {"builtin": {"name": name, "width": NETWORKS[name]}},
                "data": {"trainUri": f"file://{folder}", "imageSize": settings["size"],
                         "randomCrop": False, "randomFlip": False},
                "training": dict(RECIPE, epochs=settings["epochs"], seed=str(seed), threads=1, **recipe),
                "quantConfig": json.dumps(config)}}
    path = work / "spec.json"
    path.write_text(json.dumps(spec))
    done = subprocess.run([args.trainer, "--spec", path, "--output", output],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{config}: {done.stderr[-600:]}")
    accuracy = json.loads((output / "report.json").read_text())["accuracy"]
    return [100 * accuracy[key] for key in ("fake_quant_top1", "artifact_top1")]


def cell(values):
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread} ({min(values):.1f} to {max(values):.1f})"


def compare(pictures, args, settings, seeds, work, results):
    """Rows of the table."""
    folder = make_data(pictures, args, settings, settings["train"], work)
    work = work / pictures
    work.mkdir(exist_ok=True)
    data = {split: torch_ao_qat.read_folder(folder / split) for split in ("train", "val")}
    recipe = dict(RECIPE, epochs=settings["epochs"])
    for name in args.networks.split(","):
        model = train_float(name, pictures, args, settings, work)
        network = f"{pictures}/{name}"
        float_top1 = results.get(network, lambda: torch_ao_qat.top1(model, data["val"]))
        for bits in (int(bits) for bits in args.bits.split(",")):
            row = [pictures, name, f"W{bits}A{bits}", f"{float_top1:.2f}"]
            contestants = args.contestants.split(",")
            if "torch.ao" in contestants:
                theirs = [results.get(f"{network}/{bits}/torch.ao/{seed}", lambda: torch_ao_qat.qat(
                    copy.deepcopy(model), data["train"], data["val"], bits, recipe, seed))
                          for seed in seeds]
                yield row + ["torch.ao", cell(theirs), "-"]
            for title in (title for title in OURS if title in contestants):
                config, change = OURS[title]
                config = dict(config, weight_bits=bits, activation_bits=bits)
                runs = [results.get(f"{network}/{bits}/{title}/{seed}", lambda: run_quantry(
                    args, name, config, change, settings, seed, folder, work)) for seed in seeds]
                yield row + [f"Quantry, {title}", cell([run[0] for run in runs]),
                             cell([run[1] for run in runs])]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/accuracy"))
    parser.add_argument("--output", type=pathlib.Path, help="else standard output")
    parser.add_argument("--seeds", help="of the order of the pictures; default 0,1,2")
    parser.add_argument("--pictures", default=",".join(picture_folders.FOLDERS))
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--bits", default="8,4")
    parser.add_argument("--contestants", default=",".join(["torch.ao", *OURS]))
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    settings = QUICK if args.quick else FULL
    seeds = [int(seed) for seed in (args.seeds or settings["seeds"]).split(",")]
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    args.trainer = args.trainer.resolve()
    results = Results(work / "results.json")
    lines = ["# Accuracy beside torch.ao", "",
             f"Top-1 in percent; {CLASSES} classes, {settings['size']} x {settings['size']} pixels; "
             "glyphs: characters drawn by Quantry (hard: distorted further), digits: written by hand "
             "(UCI, 1,200 for training "
             f"and 597 others); at most {settings['train']} pictures for QAT and "
             f"{settings['val']} for the figure; {settings['epochs']} epochs of QAT; {len(seeds)} "
             "seeds: mean ± standard deviation (least to most). Written by "
             "`tests/bench/accuracy_vs_torch_ao.py`.", "",
             "| pictures | network | bits | float | method | fake-quantized | written file |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for pictures in args.pictures.split(","):
        for row in compare(pictures, args, settings, seeds, work, results):
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    lines += [NOTES.format(**RECIPE), f"PyTorch {torch.__version__}; MobileNetV2 at width 0.5. "
              f"Recipe: {json.dumps(RECIPE)}; float: rate {FLOAT_RATE}, pictures and "
              f"epochs {json.dumps(settings['float'])}. The whole took {results.seconds():.0f} s."]
    text = "\n".join(lines) + "\n"
    if args.output:
        args.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()

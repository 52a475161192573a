#!/usr/bin/env python3
"""Time and memory of a training step, Quantry and PyTorch side by side on this machine.

All contestants of a case are processes that wait while another one works; they take turns, a few
steps each, so that what else the machine does meets all of them. Prints a Markdown table: the median
step, its quartiles, the ratio of medians to PyTorch's best float step, and the peak memory of the
process, to that of the best float step as well.

A network "onnx/NAME" is torchvision's NAME for PyTorch, and for Quantry an ONNX file that torch.onnx writes of it, in
training mode.

usage: step_time.py --program build/release/tests/quantry_bench_step
           [--cases mobilenet_v2:32x96,resnet18:32x64] [--contestants float_nhwc,quantry_qat]
           [--rounds 7] [--steps 3] [--threads 2] [--json FILE] [--plot FILE.svg]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CASES = "mobilenet_v2:32x96,mobilenet_v2:16x224,mobilenet_v3_large:32x96,resnet18:32x64,resnet50:8x128"
TORCH = {"float_nchw": "PyTorch float, NCHW", "float_nhwc": "PyTorch float, NHWC",
         "autocast_nhwc": "PyTorch bf16 autocast, NHWC", "torch_ao": "torch.ao QAT (FX)"}
LSQ = ('{"weight_quantize_type": "channel_wise_lsq_weight", "activation_quantize_type": "lsq_act"}')
QUANTRY = {
    "quantry_float": ("Quantry float", []),
    "quantry_qat": ("Quantry QAT W8A8", ["--quant-config", "{}"]),
    "quantry_unfused": ("Quantry QAT W8A8, nothing fused", ["--quant-config", "{}", "--unfused"]),
    "quantry_bf16": ("Quantry QAT W8A8, bf16", ["--quant-config", "{}", "--precision", "bf16"]),
    "quantry_pact": ("Quantry QAT W8A8, PACT",
                     ["--quant-config", '{"activation_preprocess_type": "PACT"}']),
    "quantry_lsq": ("Quantry QAT W8A8, LSQ", ["--quant-config", LSQ]),
    "quantry_range": ("Quantry QAT W8A8, range_abs_max",
                      ["--quant-config", '{"activation_quantize_type": "range_abs_max"}']),
    "quantry_asymmetric": ("Quantry QAT W8A8, asymmetric",
                           ["--quant-config", '{"activation_symmetric": false}']),
}
EXPORT = """
import sys, torch, torch_step
network, pixels, path = sys.argv[1:]
model = torch_step.network(network).train()
torch.onnx.export(model, torch.randn(2, 3, int(pixels), int(pixels)), path, opset_version=17,
                  training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
                  input_names=["input"], dynamic_axes={"input": {0: "batch"}})
"""
FLOAT = ("float_nchw", "float_nhwc")
MAY_FAIL = ("autocast_nhwc", "torch_ao")
DEFAULT = "float_nchw,float_nhwc,torch_ao,quantry_float,quantry_unfused,quantry_qat"


def exported(network, pixels, args):
    """The path of an ONNX file of the network, written once."""
    path = pathlib.Path(args.files.name) / f"{network}_{pixels}.onnx"
    if not path.exists():
        subprocess.run([sys.executable, "-c", EXPORT, network, pixels, str(path)], check=True, cwd=HERE,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(path)


class Contestant:
    """A process that does steps when asked."""

    def __init__(self, name, case, args):
        model, batch, pixels = case
        network = model.removeprefix("onnx/")
        common = ["--batch", batch, "--pixels", pixels, "--threads", str(args.threads)]
        errors = subprocess.DEVNULL if name in MAY_FAIL else None
        if name in TORCH:
            command = [sys.executable, str(HERE / "torch_step.py"), "--kind", name, "--model", network]
        elif network == model:
            command = [str(args.program), *QUANTRY[name][1], "--model", model]
        else:
            command = [str(args.program), *QUANTRY[name][1], "--onnx", exported(network, pixels, args)]
        command += common
        environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads),
                       "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"}
        self.name = name
        self.seconds = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=errors, env=environment, text=True)
        self.answer()  # "ready"

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended early")
        return line

    def run(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        self.seconds += json.loads(self.answer())

    def finish(self):
        self.process.stdin.close()
        peak = json.loads(self.answer())["peak_mb"]
        self.process.wait()
        return {"name": self.name, "seconds": self.seconds, "peak_mb": peak}


def start(case, args):
    """Those that can do the case: PyTorch 1.13 has no bf16 of some operators, for one."""
    for name in args.contestants.split(","):
        try:
            yield Contestant(name, case, args)
        except RuntimeError:
            print(f"| {case[0]} | {case[1]} x {case[2]} px | {title(name)} | does not run | | | |", flush=True)


def measure(case, args):
    contestants = list(start(case, args))
    for contestant in contestants:
        contestant.run(1)
        contestant.seconds.clear()
    for _ in range(args.rounds):
        for contestant in contestants:
            contestant.run(args.steps)
    return [contestant.finish() for contestant in contestants]


def title(name):
    return TORCH.get(name) or QUANTRY[name][0]


def rows(case, results):
    medians = {result["name"]: statistics.median(result["seconds"]) for result in results}
    peaks = {result["name"]: result["peak_mb"] for result in results}
    floats = [name for name in FLOAT if name in medians]
    best = min(floats, key=medians.get) if floats else results[0]["name"]
    for result in results:
        name = result["name"]
        low, _, high = statistics.quantiles(result["seconds"], n=4)
        yield (f"| {case[0]} | {case[1]} x {case[2]} px | {title(name)} | {1e3 * medians[name]:.0f} "
               f"({1e3 * low:.0f} to {1e3 * high:.0f}) | {medians[name] / medians[best]:.2f} | "
               f"{peaks[name]:.0f} | {peaks[name] / peaks[best]:.2f} |")


def plot(kept, path):
    """Medians of all cases as bars, to the best float step of each. Needs python3-matplotlib."""
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use("svg")
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    names = list(dict.fromkeys(result["name"] for results in kept.values() for result in results))
    figure, axes = pyplot.subplots(figsize=(10, 1 + 0.16 * len(names) * len(kept)))
    for row, name in enumerate(names):
        ratios = []
        for results in kept.values():
            medians = {result["name"]: statistics.median(result["seconds"]) for result in results}
            best = min((medians[base] for base in FLOAT if base in medians), default=None)
            ratios.append(medians[name] / best if best and name in medians else 0)
        axes.barh([place * (len(names) + 1) + row for place in range(len(kept))], ratios, label=title(name))
    axes.set_yticks([place * (len(names) + 1) + len(names) / 2 for place in range(len(kept))], list(kept))
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("time of a step, of PyTorch's best float step")
    axes.invert_yaxis()
    axes.legend(fontsize="small")
    figure.savefig(path, bbox_inches="tight")


def parse_case(text):
    model, size = text.split(":")
    return (model, *size.split("x"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--cases", default=CASES, help="NETWORK:BATCHxPIXELS,...")
    parser.add_argument("--contestants", default=DEFAULT, help=", ".join([*TORCH, *QUANTRY]))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="of each contestant in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path, help="all that was measured")
    parser.add_argument("--plot", type=pathlib.Path, help="an SVG file of the ratios")
    args = parser.parse_args()
    args.files = tempfile.TemporaryDirectory()
    kept = {}
    print("| network | batch | | step, ms (quartiles) | of best float | peak MB | of best float |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for text in args.cases.split(","):
        case = parse_case(text)
        kept[text] = measure(case, args)
        for row in rows(case, kept[text]):
            print(row, flush=True)
    if args.json:
        args.json.write_text(json.dumps(kept, indent=1))
    if args.plot:
        plot(kept, args.plot)


if __name__ == "__main__":
    main()

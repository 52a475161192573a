#!/usr/bin/env python3
"""torchvision's classification architectures, one after the other: exported by torch, imported,
compared, trained for a step with fake quantization, exported, run in ONNX Runtime.

usage: sweep.py --program quantry_check_architecture [--results FOLDER] [--only NAME...]
                [--inputs N] [--table FILE]

FOLDER/NAME.json is kept per architecture, and what is there is not done again: a sweep that was cut
off goes on. Without --results they are thrown away. --table writes docs/architectures.md from them.
The exit status is 1 if an architecture failed.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

import networks
import table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
QUANTIZED = ("onnx_train", "onnx_eval", "traced_train", "traced_eval")
TOLERANCE = 1e-4
AGREEMENT = 0.99
MAX_PARAMETERS = 400e6  # in all forms about 10 GiB of memory and 12 GB on disk


def parameters_of(name):
    return table.weights_of(name).meta["num_params"]


def cost_of(name):
    """A measure of time and memory, for the order: smallest first."""
    return parameters_of(name) * networks.size_of(name) ** 2


def commit():
    def git(*arguments):
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True,
                              text=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "worker", "common")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def run_onnx_runtime(model, inputs, folder):
    source, result = folder / "input.f32", folder / "output.f32"
    inputs.tofile(source)
    done = subprocess.run(
        ["node", str(ROOT / "tests/e2e/run_onnx.js"), str(model), str(source),
         ",".join(map(str, inputs.shape)), str(result)], capture_output=True, text=True,
        env={**os.environ, "NODE_PATH": str(ROOT / "build/onnxruntime/node_modules"),
             "LD_PRELOAD": ""})
    if done.returncode != 0:
        message = (done.stderr.strip().splitlines() or ["no message"])[0]
        return None, message.replace(f"{model.parent}/", "")[:300]
    return numpy.fromfile(result, dtype=numpy.float32).reshape(len(inputs), -1), None


def compare_runtime(form, inputs, folder):
    """What ONNX Runtime says to the artifact, beside the fake-quantized model."""
    ours = numpy.fromfile(folder / f"{form}.logits.f32", dtype=numpy.float32)
    ours = ours.reshape(len(inputs), -1)
    theirs, failure = run_onnx_runtime(folder / f"{form}.qdq.onnx", inputs, folder)
    if failure:
        return {"failure": f"ONNX Runtime: {failure}"}
    return {"agreement": float((ours.argmax(1) == theirs.argmax(1)).mean()),
            "difference": float(numpy.abs(ours - theirs).max() / numpy.abs(ours).max()),
            "bytes": (folder / f"{form}.qdq.onnx").stat().st_size}


def quantized_forms(folder):
    """One of ONNX and one of TorchScript: in training form where torch has written it."""
    chosen = []
    for pair in (QUANTIZED[:2], QUANTIZED[2:]):
        chosen += [form for form in pair if list(folder.glob(f"{form}.*"))][:1]
    return chosen


def check(name, program, count, folder):
    subprocess.run([sys.executable, str(HERE / "export_architecture.py"), name, str(folder),
                    "--inputs", str(count)], check=True)
    chosen = quantized_forms(folder)
    subprocess.run([program, str(folder), *chosen], check=True)
    result = {"forms": json.loads((folder / "checked.json").read_text()),
              "refused": json.loads((folder / "refused.json").read_text())}
    inputs = table.read_inputs(folder / "reference.pt")
    for form in chosen:
        qat = result["forms"][form].get("qat", {})
        if "failure" not in qat:
            qat["runtime"] = compare_runtime(form, inputs, folder)
    return result


def agrees(agreement, inputs):
    """Of few inputs one may differ."""
    return round((1 - agreement) * inputs) <= max(1, (1 - AGREEMENT) * inputs)


def failures_of(result):
    """What is not as it should be, in words."""
    if "failure" in result:
        return [result["failure"]]
    failures = []
    for form, outcome in result["forms"].items():
        if "failure" in outcome:
            failures.append(f"{form}: {outcome['failure']}")
        for key in ("error", "single_error", "train_error"):
            if outcome.get(key, 0) > TOLERANCE:
                failures.append(f"{form}: {key} {outcome[key]:.1e}")
        qat = outcome.get("qat")
        if qat is None:
            continue
        problem = qat.get("failure") or qat["runtime"].get("failure")
        if problem:
            failures.append(f"{form}, quantized: {problem}")
            continue
        if qat["quantized"] < qat["layers"]:
            failures.append(f"{form}: {qat['quantized']} of {qat['layers']} layers are quantized")
        if not agrees(qat["runtime"]["agreement"], result["inputs"]):
            failures.append(f"{form}: agreement {qat['runtime']['agreement']:.1%}")
    if not any("qat" in outcome for outcome in result["forms"].values()):
        failures.append("no form was quantized")
    return failures


def run_one(name, program, count):
    started = time.monotonic()
    if parameters_of(name) > MAX_PARAMETERS:
        return {"name": name, "skipped": f"more than {MAX_PARAMETERS / 1e6:.0f} million parameters"}
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = check(name, program, count, pathlib.Path(folder))
        except subprocess.CalledProcessError as error:
            result = {"failure": f"{pathlib.Path(error.cmd[0]).name}: status {error.returncode}"}
    result.update(name=name, pixels=networks.size_of(name), inputs=count,
                  parameters=parameters_of(name), seconds=round(time.monotonic() - started),
                  date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
                  commit=commit())
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--inputs", type=int, default=256)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--list", action="store_true", help="names in the order of the sweep")
    given = parser.parse_args()
    chosen = sorted(given.only or networks.names(), key=cost_of)
    if given.list:
        print("\n".join(chosen))
        return 0
    results = given.results or pathlib.Path(tempfile.mkdtemp())
    results.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in chosen if given.program else []:
        file = results / f"{name}.json"
        if not file.exists():
            result = run_one(name, given.program, given.inputs)
            file.write_text(json.dumps(result, indent=1) + "\n")
        result = json.loads(file.read_text())
        problems = [] if "skipped" in result else failures_of(result)
        failed += bool(problems)
        print(f"{name}: {'; '.join(problems) or result.get('skipped', 'ok')}"
              f" ({result.get('seconds', 0)} s)", flush=True)
    if given.table:
        given.table.write_text(table.markdown(results, sorted(networks.names()), failures_of))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/architectures.md, from the results of a sweep; and what torchvision tells of a network."""
import json

import torch
import torchvision

HEAD = """# Architectures

Every classification architecture of torchvision 0.14, as `tests/architectures/sweep.py` found it. The
table is generated from the results of that sweep and holds only what was run; each row has its date
and commit (a `+`: with changes that were not committed).

What is done with each:
1. torch writes it as ONNX (opset 17) in evaluation and in training mode, as TorchScript traced and
   scripted, each in evaluation and in training mode.
2. Each file is imported and must give torch's logits for 16 inputs, and for one alone: the columns
   hold the relative error in the Euclidean norm, the larger of the two, at most 1e-4. Files in
   training mode run a forward pass in training mode as well and must give torch's (batch
   statistics): the number behind the slash, at most 1e-4. "—": torch itself can't write that form.
3. The ONNX and the traced file (in training mode, where torch has written one) are quantized with the
   default quant_config (W8A8, one weight scale per channel), calibrated on 64 inputs, trained for
   one step of SGD and written as QDQ. *Layers*: quantized ones, of all that have weights.
4. ONNX Runtime runs the QDQ file on 256 inputs; the columns hold how many of its top-1 answers are
   those of our fake-quantized evaluation (at least 99 %), and the largest difference of two logits,
   relative to the largest logit.

The weights are random, with a fixed seed; no trained ones were at hand. So that answers mean
something all the same, norms get random weights and the statistics of real batches, layer scales
and class tokens get values that count, dropout and stochastic depth are off (or else torch's own
training pass would differ from itself), and the last layer is fitted, by ridge regression, to tell
ten coarse patterns apart, each picture being a mixture of two of them and noise. *Top-1* is what
the float and the fake-quantized model then reach on the 256 inputs: near 100 %, so that margins are
those of a trained network. The rows from commit b660cb5 on, swin_v2_s and swin_v2_b have a head that is fitted to
1,280 pictures, the others to 320. That is too few for some: EfficientNet-B1 then agreed on 98.0 %, and ONNX
Runtime agreed with itself no better (98.0 to 98.8 %) once 1e-6 of noise was added to the pictures; with 1,280
it agreed on all. (Fitted to harder pictures, with a top-1 of 75 %, MobileNetV2 agreed with
ONNX Runtime on 96.5 % of them: a tie that is rounded the other way in float32 than in integers goes on
growing in a random network, and turns answers that were a coin's toss.)
Pictures are as small as the architecture permits, since the operators are the same at all sizes.

"""

COLUMNS = ("Architecture", "Parameters", "Pixels", "ONNX eval", "ONNX train", "Traced eval",
           "Traced train", "Scripted eval", "Scripted train", "Layers", "Top-1 float, quantized",
           "ONNX: agreement, difference", "Traced: agreement, difference", "Date", "Commit")
FORMS = ("onnx_eval", "onnx_train", "traced_eval", "traced_train", "scripted_eval",
         "scripted_train")


def weights_of(name):
    return list(torchvision.models.get_model_weights(name))[0]


def read_inputs(path):
    return torch.load(str(path))["input"].numpy()


def comparison_cell(result, form):
    if form in result["refused"]:
        return "—"
    outcome = result["forms"].get(form, {"failure": ""})
    if "failure" in outcome:
        return "fails"
    text = f"{max(outcome['error'], outcome['single_error']):.0e}"
    return text + (f" / {outcome['train_error']:.0e}" if "train_error" in outcome else "")


def quantized_cells(result):
    """Layers, top-1, ONNX, traced."""
    cells = ["", "", "—", "—"]
    for form, outcome in sorted(result["forms"].items()):
        qat = outcome.get("qat")
        if qat is None:
            continue
        place = 2 if form.startswith("onnx") else 3
        runtime = qat.get("runtime", {})
        if "agreement" not in runtime:
            cells[place] = "fails"
            continue
        cells[place] = f"{runtime['agreement']:.1%}, {runtime['difference']:.0e}"
        if place == 2 or not cells[0]:
            cells[0] = f"{qat['quantized']} of {qat['layers']}"
            cells[1] = f"{qat['float_top1']:.1%}, {qat['fake_quant_top1']:.1%}"
    return cells


def row_of(result):
    cells = [result["name"], f"{result['parameters'] / 1e6:.1f} M", str(result["pixels"])]
    if "failure" in result:
        cells += ["fails"] + [""] * (len(COLUMNS) - 6)
    else:
        cells += [comparison_cell(result, form) for form in FORMS] + quantized_cells(result)
    return cells + [result["date"], result["commit"]]


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def markdown(results, names, failures_of):
    rows, problems, skipped, missing, refused = [], [], [], [], []
    for name in names:
        file = results / f"{name}.json"
        if not file.exists():
            missing.append(name)
            continue
        result = json.loads(file.read_text())
        if "skipped" in result:
            skipped.append(f"{name} ({result['skipped']})")
            continue
        rows.append(line(row_of(result)))
        problems += [f"- {name}: {problem}\n" for problem in failures_of(result)]
        refused += [f"- {name}, {form}: {why}\n" for form, why in
                    sorted(result.get("refused", {}).items())]
    text = HEAD + f"{len(rows)} of {len(names)} architectures were run; "
    failing = len({problem.split(":")[0] for problem in problems})
    text += f"{len(rows) - failing} of them meet every limit.\n\n"
    text += line(COLUMNS) + line(["---"] * len(COLUMNS)) + "".join(rows)
    if problems:
        text += "\n## What does not meet its limit\n" + "".join(problems)
    if refused:
        text += "\n## What torch itself can't write\n" + "".join(refused)
    if skipped:
        text += "\n## Passed over\n" + ", ".join(skipped) + "\n"
    if missing:
        text += "\n## Not yet run\n" + ", ".join(missing) + "\n"
    return text

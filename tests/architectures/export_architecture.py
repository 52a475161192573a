#!/usr/bin/env python3
"""Writes one torchvision architecture in every form that torch has, and what torch computes with it.

usage: export_architecture.py NAME FOLDER [--inputs N]

FOLDER/onnx_eval.onnx, onnx_train.onnx, traced_eval.pt, traced_train.pt, scripted_eval.pt,
scripted_train.pt   as far as torch can write them
FOLDER/refused.json {form: why torch can't}
FOLDER/reference.pt a dictionary: input [N, 3, S, S], labels [N], logits (of the first inputs),
                    train.input, train.logits (a forward pass in training mode)
"""
import argparse
import json
import pathlib
import warnings

import networks
import torch

COMPARED = 16
OPSET = 17


def onnx_form(model, images, mode, path):
    training = mode == "train"
    model.train(training)
    kind = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(model, images, str(path), training=kind, opset_version=OPSET,
                      do_constant_folding=not training, input_names=["input"],
                      dynamic_axes={"input": {0: "batch"}})


def traced_form(model, images, mode, path):
    model.train(mode == "train")
    torch.jit.trace(model, images, check_trace=False, strict=False).save(str(path))


def scripted_form(model, images, mode, path):
    del images
    model.train(mode == "train")
    torch.jit.script(model).save(str(path))


FORMS = {"onnx": (onnx_form, "onnx"), "traced": (traced_form, "pt"),
         "scripted": (scripted_form, "pt")}


def logits_of(output):
    return output[0] if isinstance(output, tuple) else output


def restore(model, state):
    with torch.no_grad():  # load_state_dict of MNASNet wants more than the tensors
        for key, value in model.state_dict().items():
            value.copy_(state[key])


def write_forms(model, images, folder):
    refused = {}
    state = {key: value.clone() for key, value in model.state_dict().items()}
    for form, (write, suffix) in FORMS.items():
        for mode in ("eval", "train"):
            name = f"{form}_{mode}"
            try:
                write(model, images, mode, folder / f"{name}.{suffix}")
            except Exception as error:  # whatever torch says
                refused[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"
                (folder / f"{name}.{suffix}").unlink(missing_ok=True)
            restore(model, state)
    (folder / "refused.json").write_text(json.dumps(refused))


def reference(model, images, inputs, labels):
    with torch.no_grad():
        result = {"input": inputs, "labels": labels,
                  "logits": logits_of(model.eval()(inputs[:COMPARED]))}
        result["train.input"] = images
        result["train.logits"] = logits_of(model.train()(images))
    return {name: tensor.contiguous() for name, tensor in result.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--inputs", type=int, default=256)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.manual_seed(sum(map(ord, given.name)))
    generator = torch.Generator().manual_seed(11)
    patterns = torch.randn(networks.CLASSES, 3, 6, 6, generator=generator)
    size = networks.size_of(given.name)
    model, images = networks.make(given.name, size, generator, patterns)
    networks.fit_head(model, *networks.make_images(networks.FIT_IMAGES, size, generator, patterns))
    inputs, labels = networks.make_images(given.inputs, size, generator, patterns)
    given.folder.mkdir(parents=True, exist_ok=True)
    write_forms(model, images, given.folder)
    torch.save(reference(model, images, inputs, labels), given.folder / "reference.pt")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes what the parity test compares with: torchvision's networks as ONNX files, in every form that
torch's exporter has, and what torch itself computes with them.

usage: export_torchvision.py FOLDER

FOLDER/NETWORK/FORM_OPSET.onnx   FORM: eval (BatchNorm folded), preserve (inference, BatchNorm kept),
                                 training (BatchNorm in training mode, Dropout)
FOLDER/NETWORK/reference.pt      a dictionary of tensors, see reference()

Existing output is kept if this script has not changed since.
"""
import copy
import pathlib
import shutil
import sys
import warnings

import stamp
import torch
import torchvision
from random_networks import randomise_batch_norms, remove_chance, take_statistics

BATCH, SIZE, CLASSES = 4, 64, 10
FORMS = {
    "eval": torch.onnx.TrainingMode.EVAL,
    "preserve": torch.onnx.TrainingMode.PRESERVE,
    "training": torch.onnx.TrainingMode.TRAINING,
}
OPSETS = (13, 17)
NETWORKS = ("mobilenet_v2", "mobilenet_v3_large", "resnet18", "resnet50")


def make_network(name, images):
    """A network whose statistics are those of `images`, and whose batch norms are not trivial."""
    model = torchvision.models.__dict__[name](num_classes=CLASSES)
    remove_chance(model)
    randomise_batch_norms(model)
    take_statistics(model, images)
    return model


def export(model, images, form, opset, path):
    model.train(form == "training")
    torch.onnx.export(
        model, images, str(path), training=FORMS[form], opset_version=opset,
        do_constant_folding=form == "eval", input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})


def train_step(model, images, labels):
    """The loss of one step in training mode; the model keeps its gradients."""
    model.train()
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    return loss.detach()


def reference(model, images):
    """eval.input, eval.logits; train.input, train.labels, train.loss; grad.NAME of each parameter;
    buffer.NAME: running statistics after that one step. All computed in float64.

    grad32.NAME: the gradients in float32 and channels_last. In float32 rounding moves a few values
    across the kink of a ReLU, so that even torch with another memory format, which rounds elsewhere, is
    off by 1e-2 (MobileNetV2, ResNet-50).
    """
    single = copy.deepcopy(model).to(memory_format=torch.channels_last)
    model = copy.deepcopy(model).double().eval()
    result = {"eval.input": images}
    with torch.no_grad():
        result["eval.logits"] = model(images.double())
    train_images = torch.randn(BATCH, 3, SIZE, SIZE) * 0.7 + 0.3
    labels = torch.randint(0, CLASSES, (BATCH,))
    loss = train_step(model, train_images.double(), labels)
    train_step(single, train_images.contiguous(memory_format=torch.channels_last), labels)
    result.update({"train.input": train_images, "train.labels": labels, "train.loss": loss})
    for name, parameter in model.named_parameters():
        result["grad." + name] = parameter.grad
    for name, parameter in single.named_parameters():
        result["grad32." + name] = parameter.grad
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            result["buffer." + name] = buffer
    return {name: value.float() if value.is_floating_point() else value
            for name, value in result.items()}


def write_network(name, folder):
    torch.manual_seed(sum(map(ord, name)))
    images = torch.randn(BATCH, 3, SIZE, SIZE)
    model = make_network(name, images)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for form in FORMS:
        for opset in OPSETS:
            export(model, images, form, opset, folder / f"{form}_{opset}.onnx")
    torch.save(reference(model, images), folder / "reference.pt")


def main():
    folder = pathlib.Path(sys.argv[1])

    def write():
        warnings.filterwarnings("ignore")
        # Depthwise convolutions in float64 run one group at a time: threads only get in the way.
        torch.set_num_threads(1)
        for name in NETWORKS:
            write_network(name, folder / name)

    stamp.write_once(folder, write)


if __name__ == "__main__":
    main()

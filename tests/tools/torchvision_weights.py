#!/usr/bin/env python3
"""Writes what the test of weights by name compares with: torchvision's networks in two formats.

usage: torchvision_weights.py FOLDER

FOLDER/NETWORK.safetensors            the state_dict, 10 classes, float32; ResNet-34 in float16 and
                                      ResNet-50 in bfloat16
FOLDER/NETWORK.pt                     the same as TorchScript, ResNet-18 and MobileNetV2 traced, the
                                      others scripted
FOLDER/NETWORK.reference.safetensors  "input" [2, 3, 96, 96] and the "logits" of that network

Existing output is kept if this script has not changed since.
"""
import pathlib
import sys

import safetensors_file
import stamp
import torch
import torchvision
from torchvision.ops import Conv2dNormActivation

CLASSES, SIZE = 10, 96
TRACED = ("mobilenet_v2", "resnet18")
DTYPES = {"resnet34": torch.float16, "resnet50": torch.bfloat16}


class MobileNetV1(torch.nn.Module):
    """Howard et al. 2017, table 1; torchvision has none."""
    ROWS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [
        (1024, 2), (1024, 1)]

    def __init__(self, num_classes):
        super().__init__()
        layers, channels = [Conv2dNormActivation(3, 32, stride=2)], 32
        for out, stride in self.ROWS:
            layers.append(torch.nn.Sequential(
                Conv2dNormActivation(channels, channels, stride=stride, groups=channels),
                Conv2dNormActivation(channels, out, kernel_size=1)))
            channels = out
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Linear(channels, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


NETWORKS = {"mobilenet_v1": MobileNetV1}
for model_name in ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "resnet18",
                   "resnet34", "resnet50"):
    NETWORKS[model_name] = torchvision.models.__dict__[model_name]


def make_network(name):
    """With random weights, and batch norms whose statistics are those of random pictures."""
    model = NETWORKS[name](num_classes=CLASSES)
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.normal_(norm.bias, 0.0, 0.1)
            norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(8, 3, SIZE, SIZE))
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(DTYPES.get(name, torch.float32)))
    return model.eval()


def write_network(name, folder):
    torch.manual_seed(sum(map(ord, name)))
    model = make_network(name)
    images = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        logits = model.double()(images.double()).float()
    model = model.to(DTYPES.get(name, torch.float32))
    safetensors_file.write(folder / f"{name}.safetensors", model.state_dict())
    script = torch.jit.trace(model, images) if name in TRACED else torch.jit.script(model)
    script.save(str(folder / f"{name}.pt"))
    safetensors_file.write(folder / f"{name}.reference.safetensors",
                           {"input": images, "logits": logits})


def main():
    folder = pathlib.Path(sys.argv[1])

    def write():
        torch.set_num_threads(1)
        for name in NETWORKS:
            write_network(name, folder)

    stamp.write_once(folder, write)


if __name__ == "__main__":
    main()

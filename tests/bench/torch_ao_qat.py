"""torch.ao's side of the comparison: float training, and quantization-aware training in FX graph mode,
on the pictures, in the order and with the recipe of quantry-trainer."""
import math
import struct
import zlib

import numpy
import torch
import torchvision
from torch.ao.quantization import (FakeQuantize, MovingAverageMinMaxObserver,
                                   MovingAveragePerChannelMinMaxObserver, QConfig,
                                   QConfigMapping, disable_fake_quant, disable_observer,
                                   enable_fake_quant, enable_observer)
from torch.ao.quantization.quantize_fx import prepare_qat_fx

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def order_of_epoch(count, seed, epoch):
    """The order of the examples in an epoch, as worker/engine/data/epoch_order.cc makes it."""
    state = 0
    for part in (seed, 2, epoch):
        state = mix(((state ^ mix(part + GAMMA & MASK)) + GAMMA) & MASK)
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        state = state + GAMMA & MASK
        j = (mix(state) >> 32) * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def paeth(row, above, step):
    for i in range(len(row)):
        a = int(row[i - step]) if i >= step else 0
        b = int(above[i])
        c = int(above[i - step]) if i >= step else 0
        p = a + b - c
        near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        row[i] = (int(row[i]) + near) & 255


def running(row, above, step, kind):
    for i in range(len(row)):
        left = int(row[i - step]) if i >= step else 0
        row[i] = (int(row[i]) + (left if kind == 1 else (left + int(above[i])) // 2)) & 255


def read_png(path):
    """A picture of 8-bit RGB as [3, height, width] (W3C PNG, sections 5, 9 and 11)."""
    content = path.read_bytes()
    position, data, size = 8, b"", None
    while position < len(content):
        length, kind = struct.unpack(">I4s", content[position:position + 8])
        chunk = content[position + 8:position + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">II", chunk[:8])
            if tuple(chunk[8:10]) != (8, 2) or chunk[12] != 0:
                raise ValueError(f"{path}: only 8-bit RGB without interlacing is read")
        elif kind == b"IDAT":
            data += chunk
        position += 12 + length
    width, height = size
    lines = numpy.frombuffer(zlib.decompress(data), numpy.uint8).reshape(height, 1 + 3 * width)
    picture = numpy.zeros((height, 3 * width), numpy.uint8)
    above = numpy.zeros(3 * width, numpy.uint8)
    for y in range(height):
        kind, row = lines[y, 0], lines[y, 1:].copy()
        if kind == 2:
            row += above
        elif kind == 4:
            paeth(row, above, 3)
        elif kind != 0:
            running(row, above, 3, kind)
        picture[y] = above = row
    return torch.from_numpy(picture.reshape(height, width, 3).transpose(2, 0, 1).copy())


def read_folder(folder):
    """Pictures [N, 3, S, S], normalised, and labels; classes and files in bytewise order."""
    pictures, labels = [], []
    for label, name in enumerate(sorted(path.name for path in folder.iterdir())):
        for path in sorted((folder / name).glob("*.png")):
            pictures.append((read_png(path).float() / 255 - MEAN) / STD)
            labels.append(label)
    return torch.stack(pictures), torch.tensor(labels)


def make_network(name, width, classes):
    if name == "resnet18":
        return torchvision.models.resnet18(num_classes=classes)
    return torchvision.models.mobilenet_v2(num_classes=classes, width_mult=width)


def train(model, data, recipe, seed):
    """SGD with momentum; a last batch that is not full is dropped. With "schedule" "cosine" the rate
    falls to 0 along half a cosine, step by step; else it is constant."""
    pictures, labels = data
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe["learningRate"],
                                momentum=recipe["momentum"], weight_decay=recipe["weightDecay"])
    size = recipe["batchSize"]
    steps = recipe["epochs"] * (len(labels) // size)
    step = 0
    for epoch in range(recipe["epochs"]):
        model.train()
        order = torch.tensor(order_of_epoch(len(labels), seed, epoch))
        for start in range(0, len(order) - size + 1, size):
            batch = order[start:start + size]
            if recipe["schedule"] == "cosine":
                share = 0.5 * (1 + math.cos(math.pi * step / steps))
                optimizer.param_groups[0]["lr"] = recipe["learningRate"] * share
            step += 1
            optimizer.zero_grad(set_to_none=True)
            logits = model(pictures[batch].contiguous(memory_format=torch.channels_last))
            torch.nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
    return model


def top1(model, data):
    pictures, labels = data
    model.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(labels), 64):
            logits = model(pictures[start:start + 64])
            right += (logits.argmax(1) == labels[start:start + 64]).sum().item()
    return 100.0 * right / len(labels)


def qconfig(bits):
    """As many bits for all layers, the first and the last too; full range (torch's own default for
    x86 leaves activations only 7 of 8 bits)."""
    activation = FakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=2**bits - 1,
        dtype=torch.quint8, qscheme=torch.per_tensor_affine, averaging_constant=0.1)
    weight = FakeQuantize.with_args(
        observer=MovingAveragePerChannelMinMaxObserver, quant_min=-2**(bits - 1),
        quant_max=2**(bits - 1) - 1, dtype=torch.qint8, qscheme=torch.per_channel_symmetric,
        averaging_constant=1.0)  # the weights as they are now
    return QConfig(activation=activation, weight=weight)


def qat(model, data, val, bits, recipe, seed):
    """Top-1 (percent) of the fake-quantized network. `model` is used up."""
    pictures, labels = data
    example = (pictures[:2],)
    model = prepare_qat_fx(model.train(), QConfigMapping().set_global(qconfig(bits)), example)
    model.apply(disable_fake_quant).apply(enable_observer).eval()
    order = order_of_epoch(len(labels), seed, 0)
    with torch.no_grad():
        for start in range(0, recipe["calibrationBatches"] * recipe["batchSize"],
                           recipe["batchSize"]):
            batch = order[start:start + recipe["batchSize"]]
            if batch:
                model(pictures[batch])
    model.apply(enable_fake_quant)
    train(model, data, recipe, seed)
    model.apply(disable_observer)
    return top1(model, val)

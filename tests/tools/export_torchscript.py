#!/usr/bin/env python3
"""Writes what the TorchScript parity test compares with.

usage: export_torchscript.py FOLDER

FOLDER/NAME/FORM.pt        FORM: traced_eval, traced_train, scripted_eval, scripted_train
FOLDER/NAME/reference.pt   a dictionary: eval.input, eval.logits
FOLDER/refused/NAME.pt     programs that can't be lowered

Existing output is kept if this script has not changed since.
"""
import functools
import pathlib
import sys
import warnings

import stamp
import torch
import torchvision

SIZE = 64


class Loops(torch.nn.Module):
    """Loops over modules, branches on attributes, shapes and None, in-place operators."""

    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList(torch.nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.fc = torch.nn.Linear(3, 10)
        self.times = 2

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
            x.relu_()
        for i in range(self.times):
            if i > 0:
                x = x + 0.5 * x
            else:
                x += 1.0
        if x.dim() == 4 and x.size(2) > 8:
            x = x.mean([2, 3])
        return self.fc(x.view(x.size(0), -1))


class DataDependent(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x


class DataDependentLoop(torch.nn.Module):
    def forward(self, x):
        while bool(x.norm() > 1.0):
            x = x / 2
        return x


class DataDependentCount(torch.nn.Module):
    def forward(self, x):
        for _ in range(int(x.abs().max())):
            x = x / 2
        return x


class DataDependentInside(torch.nn.Module):
    """The branch stands in a function that the model calls within a loop."""

    def forward(self, x):
        for _ in range(2):
            x = flip(x)
        return x


def flip(x):
    if bool(x[0, 0, 0, 0] > 0):
        return x.neg()
    return x


class BatchDependent(torch.nn.Module):
    def forward(self, x):
        if x.size(0) > 2:
            return x
        return -x


class Unknown(torch.nn.Module):
    def forward(self, x):
        return torch.special.i0(x)


REFUSED = {
    "data_dependent": DataDependent(),
    "data_dependent_loop": DataDependentLoop(),
    "data_dependent_count": DataDependentCount(),
    "data_dependent_inside": DataDependentInside(),
    "batch_dependent": BatchDependent(),
    "unknown": Unknown(),
}


def tiny_vit():
    model = torchvision.models.VisionTransformer(
        image_size=SIZE, patch_size=16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32,
        num_classes=10)
    torch.nn.init.normal_(model.heads.head.weight)
    return model


def tiny_swin(version):
    """Windows of 3 do not divide the picture, so that it is padded, shifted and masked."""
    kinds = torchvision.models.swin_transformer
    parts = {} if version == 1 else {"block": kinds.SwinTransformerBlockV2,
                                     "downsample_layer": kinds.PatchMergingV2}
    return kinds.SwinTransformer(patch_size=[4, 4], embed_dim=8, depths=[2, 2], num_heads=[2, 4],
                                 window_size=[3, 3], stochastic_depth_prob=0.0, num_classes=10,
                                 **parts)


def tiny_maxvit():
    return torchvision.models.MaxVit(
        input_size=(SIZE, SIZE), stem_channels=8, partition_size=4, block_channels=[8, 16],
        block_layers=[1, 1], head_dim=4, stochastic_depth_prob=0.0, num_classes=10)


NETWORKS = {
    "shufflenet": lambda: torchvision.models.shufflenet_v2_x0_5(num_classes=10),
    "tiny_maxvit": tiny_maxvit,
    "tiny_swin": lambda: tiny_swin(1),
    "tiny_swin_v2": lambda: tiny_swin(2),
    "tiny_vit": tiny_vit,
}
for network in ("mobilenet_v2", "mobilenet_v3_small", "resnet18"):
    NETWORKS[network] = functools.partial(torchvision.models.__dict__[network], num_classes=10)


def write(name, model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    images = torch.randn(4, 3, SIZE, SIZE)
    for mode in ("train", "eval"):
        model.train(mode == "train")
        torch.jit.script(model).save(str(folder / f"scripted_{mode}.pt"))
        state = {key: value.clone() for key, value in model.state_dict().items()}
        torch.jit.trace(model, images, check_trace=False).save(str(folder / f"traced_{mode}.pt"))
        model.load_state_dict(state)
        if mode == "train":  # the trace has updated its statistics
            traced = torch.jit.load(str(folder / "traced_train.pt"))
            traced.load_state_dict(state)
            traced.save(str(folder / "traced_train.pt"))
    with torch.no_grad():
        torch.save({"eval.input": images, "eval.logits": model(images)},
                   folder / "reference.pt")


def write_all(folder):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(7)
    for name, make in NETWORKS.items():
        write(name, make(), folder / name)
    write("loops", Loops(), folder / "loops")
    (folder / "refused").mkdir(parents=True, exist_ok=True)
    for name, model in REFUSED.items():
        torch.jit.script(model).save(str(folder / "refused" / f"{name}.pt"))


def main():
    folder = pathlib.Path(sys.argv[1])
    stamp.write_once(folder, lambda: write_all(folder))


if __name__ == "__main__":
    main()

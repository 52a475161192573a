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
                x = x.neg()
                x += 1.0
        if x.dim() == 4 and x.size(2) > 8:
            x = x.mean([2, 3])
        return self.fc(x.view(x.size(0), -1))


class Rows(torch.nn.Module):
    """Operators that no network here has; the layer makes of it a model with weights."""

    def __init__(self, features):
        super().__init__()
        self.fc = torch.nn.Linear(features, 10)


class Reductions(Rows):
    def __init__(self):
        super().__init__(3 * 7 + 64 + 5)

    def forward(self, x):
        whole = [x.sum((2, 3)), x.mean((2, 3)), x.amax((2, 3)), x.amin((2, 3)),
                 x.norm(1, (2, 3)), torch.linalg.vector_norm(x, dim=(2, 3)),
                 (x > 0).sum((2, 3)).to(x.dtype)]
        largest, place = x.max(dim=1)
        smallest, _ = x.flatten(1).min(dim=1, keepdim=True)
        lines = [largest.norm(2, 2), place.float().mean((1, 2)).unsqueeze(1), smallest,
                 x.flatten(1).argmax(1, keepdim=True).type_as(x) / 1000,
                 x.mean(1).flatten(1).argmin(1, keepdim=True).type_as(x) / 1000,
                 smallest + x.abs().max() * 0 + x.abs().min()]
        return self.fc(torch.cat(whole + lines, 1))


class Choices(Rows):
    def __init__(self):
        super().__init__(3)

    def forward(self, x):
        far = (x > 0.5) | ~(x >= -0.5)
        near = torch.logical_and(x < 0.75, torch.logical_not(x <= -0.75)) & (x != 0)
        y = torch.where(far, x, 2 - x).masked_fill(x == 0, 1.0)
        y = torch.where(torch.logical_xor(far, near), y, torch.zeros_like(x[:, :1, :1, :1]))
        y = torch.maximum(y, torch.minimum(x, 0.5 * x)) + torch.rsub(x, 2.0, alpha=3)
        y = torch.max(y, x) + torch.min(x, -x)
        return self.fc(y.mean((2, 3)))


class Types(Rows):
    """Tensors and numbers of unlike types, which torch brings to one before it computes."""

    def __init__(self):
        super().__init__(3)
        self.register_buffer("steps", torch.arange(64))
        self.register_buffer("factor", torch.tensor(16))
        self.register_buffer("fine", torch.tensor(0.25, dtype=torch.float64))

    def forward(self, x):
        y = 16 * x + self.steps - self.factor * x / self.steps.clamp_min(1)
        y = y + self.fine * x + (self.steps - 2.5) + self.steps / 8 + (x > 0) * 2 - (x > 1.0) * x
        y = torch.where(x > self.factor, self.steps, y) + torch.maximum(x, self.fine)
        y = torch.where(self.steps > 31.5, y, 2 * self.steps).masked_fill(self.steps == 5, 3)
        y = torch.add(y, self.steps, alpha=2) + torch.rsub(self.steps, 0.5)
        y = y + self.steps.clamp(1.5, 40) + (self.steps + 1) ** 0.5 + self.steps.pow(2)
        return self.fc(y.mean((2, 3)) / 1000)


class Curves(Rows):
    def __init__(self):
        super().__init__(3)
        self.slope = torch.nn.PReLU(3, init=0.1)

    def forward(self, x):
        positive = x.abs() + 0.5
        y = positive.log() + positive.rsqrt() + positive.reciprocal() + x.square()
        y = y + x.floor() + x.ceil() + x.round() + x.sign() + x.sin() + x.cos() + x.erf()
        functions = torch.nn.functional
        y = y + functions.leaky_relu(x, 0.2) + functions.elu(x, 0.7) + functions.softplus(x)
        y = y + functions.mish(x) + functions.log_softmax(x, 1) + self.slope(x)
        return self.fc(y.mean((2, 3)))


class Pools(Rows):
    """Adaptive pooling to sizes that divide, that don't, and that are larger; along one to three axes."""

    def __init__(self):
        super().__init__(3 * (49 + 5 * 64 + 16 + 70 * 2 + 36) + 3 * 64 * 15 + 192 * 11)

    def forward(self, x):
        functions = torch.nn.functional
        parts = [functions.adaptive_avg_pool2d(x, size) for size in (7, (5, 64), 4, (70, 2))]
        parts.append(functions.adaptive_max_pool2d(x, 6))
        lines = x.flatten(1, 2)
        parts.append(functions.max_pool1d(functions.avg_pool1d(lines, 4, 4), 2, 1))
        parts.append(functions.adaptive_avg_pool1d(lines, 11))
        volume = functions.avg_pool3d(x.unsqueeze(1), (3, 2, 2))
        parts[0] = parts[0] + functions.adaptive_avg_pool3d(
            functions.max_pool3d(volume, (1, 2, 2)), 1).flatten(2).unsqueeze(2)
        return self.fc(torch.cat([part.flatten(1) for part in parts], 1))


class Chance(Rows):
    """Stochastic depth, whose chance a trace of the training mode holds."""

    def __init__(self):
        super().__init__(3)
        self.depth = torchvision.ops.StochasticDepth(0.3, "row")

    def forward(self, x):
        return self.fc((x + self.depth(2 * x)).mean((2, 3)))


class Attention(Rows):
    """torch's own layer (one operator, where it is traced without gradients), and matrices."""

    def __init__(self):
        super().__init__(64)
        self.attention = torch.nn.MultiheadAttention(64, 2, batch_first=True)

    def forward(self, x):
        tokens = x.mean(1)
        y, weights = self.attention(tokens, tokens, tokens)
        assert weights is not None
        scores = torch.baddbmm(weights, y, y.transpose(1, 2), beta=0.5, alpha=0.1)
        return self.fc((scores.softmax(-1) @ y).mean(1) + tokens.mean(1).repeat(1, 2)[:, 32:96])


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
    "rows_attention": Attention,
    "rows_chance": Chance,
    "rows_choices": Choices,
    "rows_curves": Curves,
    "rows_pools": Pools,
    "rows_reductions": Reductions,
    "rows_types": Types,
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
        with torch.set_grad_enabled(mode == "train"):
            traced = torch.jit.trace(model, images, check_trace=False)
        traced.save(str(folder / f"traced_{mode}.pt"))
        model.load_state_dict(state)
        if mode == "train":  # the trace has updated its statistics
            traced = torch.jit.load(str(folder / "traced_train.pt"))
            traced.load_state_dict(state)
            traced.save(str(folder / "traced_train.pt"))
    reference = {"eval.input": images, "eval.logits": model(images).detach()}
    reference.update(trained(model, images))
    torch.save(reference, folder / "reference.pt")


def trained(model, images):
    """What a step of gradient descent on the mean square of the logits makes of them. The rate is
    one that lowers it by about a hundredth."""
    model.eval()
    loss = model(images).square().mean()
    loss.backward()
    gradients = [p for p in model.parameters() if p.grad is not None]
    rate = 0.01 * loss.detach() / sum(p.grad.square().sum() for p in gradients)
    with torch.no_grad():
        for parameter in gradients:
            parameter -= rate * parameter.grad
        return {"step.rate": rate, "step.logits": model(images)}


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

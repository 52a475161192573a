"""torchvision's classification architectures at the smallest size that each takes, with weights that
make the comparison of answers mean something (see docs/architectures.md)."""
import sys
import pathlib

import torch
import torchvision

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from random_networks import batch_norms, remove_chance, take_statistics  # noqa: E402

CLASSES = 10
STATISTICS_IMAGES = 16
FIT_IMAGES = 1280
PENALTY = 1e-2  # of the fitted head, relative to the features' mean square

# Pixels where 64 are not enough: pooling to fixed sizes that must divide (AlexNet, VGG), patches and
# windows that must fit (ViT-H, MaxViT), auxiliary classifiers that need room (Inception).
SIZES = {"alexnet": 224, "maxvit_t": 224, "vit_h_14": 70, "inception_v3": 299}
SIZES.update({name: 224 for name in ("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn",
                                     "vgg19", "vgg19_bn")})


def names():
    return torchvision.models.list_models(module=torchvision.models)


def size_of(name):
    return SIZES.get(name, 64)


def make_images(count, size, generator, patterns):
    """Pictures of ten coarse patterns, each mixed with another one and noise; and which it is."""
    labels = torch.arange(count) % CLASSES
    others = torch.randint(0, CLASSES, (count,), generator=generator)
    share = torch.rand(count, 1, 1, 1, generator=generator) * 0.25 + 0.75
    coarse = share * patterns[labels] + (1 - share) * patterns[others]
    images = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear",
                                             align_corners=False)
    return images + 0.2 * torch.randn(images.shape, generator=generator), labels


def last_layer(model):
    """The layer that gives the classes: a Linear, or SqueezeNet's convolution."""
    layers = [module for name, module in model.named_modules() if not name.startswith(("aux", "Aux"))
              and isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))]
    return layers[-1]


def fit_head(model, images, labels):
    """Ridge regression of the labels on what the last layer sees: answers that depend on the picture
    and margins that vary, from an otherwise random network."""
    head = last_layer(model)
    seen = []
    hook = head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.eval()
    with torch.no_grad():
        for part in images.split(32):
            model(part)
        hook.remove()
        features = torch.cat(seen)
        if features.dim() == 4:  # a convolution whose results are averaged over the picture
            features = features.mean((2, 3))
        features = features.double()
        mean = features.mean(0) if head.bias is not None else torch.zeros(features.shape[1])
        centred = features - mean
        wanted = torch.nn.functional.one_hot(labels, CLASSES).double() * 4 - 0.4
        if head.weight.dim() == 4:
            wanted += 4  # above the ReLU that follows, or else most answers were 0
        gram = centred @ centred.t()
        gram += PENALTY * gram.diagonal().mean() * torch.eye(len(gram))
        weight = (centred.t() @ torch.linalg.solve(gram, wanted)).t()
        head.weight.copy_(weight.reshape(head.weight.shape))
        if head.bias is not None:
            head.bias.copy_(wanted.mean(0) - weight @ mean)


def randomise_others(model):
    """Norms, and what starts out as (nearly) 0 or 1 and would hide a mistake.

    Batch norms shift most values above 0. Where half of them are cut off, as right after
    initialisation, a random network of this depth is chaotic: it multiplies the smallest difference
    layer by layer until the answers have nothing to do with the picture.
    """
    for norm in batch_norms(model):
        torch.nn.init.uniform_(norm.weight, 0.3, 0.7)
        torch.nn.init.normal_(norm.bias, 0.8, 0.2)
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.1)
    for name, parameter in model.named_parameters():
        if name.endswith("layer_scale"):  # ConvNeXt: 1e-6
            torch.nn.init.uniform_(parameter, 0.1, 0.5)
        elif name.endswith("class_token"):
            torch.nn.init.normal_(parameter)


def make(name, size, generator, patterns):
    """The network, and the images of its statistics, which its exports are to be traced with."""
    options = {"num_classes": CLASSES}
    if name.startswith("vit"):
        options["image_size"] = size
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = True
    model = torchvision.models.get_model(name, **options)
    remove_chance(model)
    with torch.no_grad():
        randomise_others(model)
    images, _ = make_images(STATISTICS_IMAGES, size, generator, patterns)
    take_statistics(model, images)
    return model, images

"""Networks with random weights in which every layer matters, as in trained ones."""
import torch


def batch_norms(model):
    kinds = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    return [m for m in model.modules() if isinstance(m, kinds)]


def randomise_batch_norms(model):
    """Weights and biases that are not trivial. The last norm of a residual branch is kept small, as
    training does, or else rounding errors grow with the depth."""
    for name, norm in model.named_modules():
        if not isinstance(norm, torch.nn.BatchNorm2d):
            continue
        last = name.endswith(".bn3") or (name.endswith(".bn2") and not hasattr(
            model.get_submodule(name.rpartition(".")[0]), "bn3"))
        low, high = (0.1, 0.4) if last else (0.5, 1.5)
        torch.nn.init.uniform_(norm.weight, low, high)
        torch.nn.init.normal_(norm.bias, 0.0, 0.1)


def take_statistics(model, images):
    """Gives the batch norms the statistics of `images`, and leaves the model in training mode.

    With these a forward pass in training mode on the same images, as an exporter makes one, leaves
    them as they are.
    """
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    if norms:
        with torch.no_grad():
            model(images)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def remove_chance(model):
    """Without dropout and stochastic depth: training becomes a function of the inputs."""
    for module in model.modules():
        if type(module).__name__ in ("Dropout", "Dropout2d", "StochasticDepth"):
            module.p = 0.0

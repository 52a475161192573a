"""Training steps of a torchvision network on request, timed: PyTorch's side of step_time.py. Speaks as
bench_step.cc does.

usage: torch_step.py --model NAME --kind float_nchw|float_nhwc|autocast_nhwc|torch_ao --batch N --pixels N --threads N
"""
import argparse
import json
import resource
import sys
import time

import torch
import torchvision


def quantized(model, images):
    """torch.ao's QAT in FX graph mode, with the moving-average observers of PyTorch's tutorials: per
    channel for weights."""
    import torch_ao_qat  # pylint: disable=import-outside-toplevel
    from torch.ao.quantization import get_default_qat_qconfig_mapping  # pylint: disable=import-outside-toplevel
    from torch.ao.quantization.quantize_fx import prepare_qat_fx  # pylint: disable=import-outside-toplevel
    # Its defaults for operators whose range is known, such as the hard sigmoid; it refuses others there.
    mapping = get_default_qat_qconfig_mapping("fbgemm").set_global(torch_ao_qat.qconfig(8))
    return prepare_qat_fx(model.train(), mapping, (images[:2],))


def network(name):
    """torchvision's, every block of it always there: torch.onnx can't write blocks left out by chance."""
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, **options)
    for module in model.modules():
        if isinstance(module, torchvision.ops.StochasticDepth):
            module.p = 0.0
    return model


def make(given):
    torch.manual_seed(1)
    model = network(given.model)
    images = torch.randn(given.batch, 3, given.pixels, given.pixels)
    if given.kind == "torch_ao":
        model = quantized(model, images)
    if given.kind != "float_nchw":
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    return model.train(), images, torch.randint(1000, (given.batch,))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--kind", choices=["float_nchw", "float_nhwc", "autocast_nhwc", "torch_ao"], required=True)
    for name in ("batch", "pixels", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model, images, labels = make(given)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=given.kind == "autocast_nhwc"):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()

    step()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps(seconds), flush=True)
    print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()

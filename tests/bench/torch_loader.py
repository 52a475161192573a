#!/usr/bin/env python3
"""Batches of pictures on request, timed: PyTorch's side of input_pipeline.py. Speaks as bench_loader.cc does.

usage: torch_loader.py --folder FOLDER --batch N --pixels N --workers N
"""
import argparse
import sys
import time

import torch
from torchvision import datasets, transforms

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def batches(given):
    """Without end."""
    transform = transforms.Compose([
        transforms.RandomResizedCrop(given.pixels), transforms.RandomHorizontalFlip(),
        transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(f"{given.folder}/train", transform), batch_size=given.batch, shuffle=True,
        num_workers=given.workers, drop_last=True, persistent_workers=True)
    while True:
        yield from loader


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    for name in ("batch", "pixels", "workers"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    source = batches(given)
    next(source)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            next(source)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

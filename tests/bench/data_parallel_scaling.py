#!/usr/bin/env python3
"""Scaling efficiency of data parallel training on this machine.

Trains the same model for the same steps in one process and in N, in turn, and prints pictures per second of
each case. Speedup is against one process with the threads of one rank; efficiency is that divided by N, so 1
means that N ranks train N times as fast. One process with the threads of all ranks is there to compare with:
which of the two uses the cores better? The figures are those of training alone, from the report's
train_seconds; each run's first step, in which memory is taken and kernels are chosen, is part of it.

    tests/bench/data_parallel_scaling.py --trainer build/release/bin/quantry-trainer
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import statistics
import tempfile


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def spec(args, threads, sync_batch_norm):
    training = {"batchSize": args.batch, "epochs": args.epochs, "threads": threads,
                "calibrationBatches": 1}
    if not sync_batch_norm:
        training["syncBatchNorm"] = False
    return {"job": {"mode": "MODE_QAT", "model": {"builtin": {"name": args.model}},
                    "data": {"trainUri": f"synthetic://glyphs?classes=16&size={args.size}"
                                         f"&train={args.batch * args.steps}&val=16",
                             "decodeThreads": 1},
                    "training": training}}


def train(args, ranks, threads, sync_batch_norm):
    """Pictures per second of one run; `threads` of each rank."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "spec.json").write_text(json.dumps(spec(args, threads, sync_batch_norm)))
        environment = dict(os.environ, WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1",
                           MASTER_PORT=str(free_port()), QUANTRY_RENDEZVOUS_TOKEN="bench")
        command = [args.trainer, "--spec", folder / "spec.json", "--output", folder / "out"]
        processes = [subprocess.Popen(command, env=dict(environment, RANK=str(rank)),
                                      stdout=subprocess.DEVNULL)
                     for rank in range(ranks)]
        if any([process.wait() != 0 for process in processes]):
            raise SystemExit("a run failed; see above")
        report = json.loads((folder / "out" / "report.json").read_text())
        return args.batch * args.steps * args.epochs / report["train_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--model", default="mobilenet_v2")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--batch", type=int, default=32, help="of all ranks together")
    parser.add_argument("--steps", type=int, default=20, help="per epoch")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    each = f"{args.threads} thread{'s' if args.threads > 1 else ''}"
    base = f"1 rank, {each}"
    cases = {base: (1, args.threads, True),
             f"1 rank, {args.threads * args.ranks} threads": (1, args.threads * args.ranks, True),
             f"{args.ranks} ranks, {each} each": (args.ranks, args.threads, True),
             f"{args.ranks} ranks, {each} each, sync_batch_norm off": (args.ranks, args.threads, False)}
    speeds = {name: [] for name in cases}
    for _ in range(args.repeats):
        for name, (ranks, threads, sync) in cases.items():
            speeds[name].append(train(args, ranks, threads, sync))
    report(args, cases, speeds, statistics.median(speeds[base]))


def report(args, cases, speeds, base):
    print(f"{args.model}, QAT, {args.size} px, batch {args.batch}, {args.steps * args.epochs} steps, "
          f"{args.repeats} runs of each case in turn, {os.cpu_count()} cores")
    print("| processes | pictures/s (median) | all runs | speedup | efficiency |")
    print("| --- | --- | --- | --- | --- |")
    for name, values in speeds.items():
        median = statistics.median(values)
        every = ", ".join(f"{value:.1f}" for value in values)
        ranks = cases[name][0]
        efficiency = f"{median / base / ranks:.2f}" if ranks > 1 else "-"
        print(f"| {name} | {median:.1f} | {every} | {median / base:.2f} | {efficiency} |")


if __name__ == "__main__":
    main()

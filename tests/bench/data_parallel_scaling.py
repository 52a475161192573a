#!/usr/bin/env python3
"""Scaling efficiency of data parallel training on this machine.

Trains the same model for some steps in one process with all threads, and in N processes that share as many
threads, and prints pictures per second of both and their quotient: 1 means that dividing the batch costs
nothing. The figures are those of training alone, from the report's train_seconds.

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
                                         f"&train={args.batch * args.steps}&val=16"},
                    "training": training}}


def train(args, ranks, sync_batch_norm=True):
    """Pictures per second of one run."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = json.dumps(spec(args, max(1, args.threads // ranks), sync_batch_norm))
        (folder / "spec.json").write_text(text)
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
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of all ranks together")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    cases = {"1 rank": (1, True), f"{args.ranks} ranks": (args.ranks, True),
             f"{args.ranks} ranks, sync_batch_norm off": (args.ranks, False)}
    speeds = {name: [] for name in cases}
    for _ in range(args.repeats):
        for name, (ranks, sync) in cases.items():
            speeds[name].append(train(args, ranks, sync))
    base = statistics.median(speeds["1 rank"])
    print(f"{args.model}, QAT, {args.size} px, batch {args.batch}, {args.threads} threads in all, "
          f"{os.cpu_count()} cores")
    print("| processes | pictures/s (median) | all | against 1 rank |\n| --- | --- | --- | --- |")
    for name, values in speeds.items():
        median = statistics.median(values)
        every = ", ".join(f"{value:.1f}" for value in values)
        print(f"| {name} | {median:.1f} | {every} | {median / base:.2f} |")


if __name__ == "__main__":
    main()

"""Runs of quantry-trainer for the benchmarks, each kept in a folder of its own."""
import json
import pathlib
import statistics
import subprocess


def run(trainer, work, name, job, model_path=None):
    """The report of one run; runs that are done already are not repeated."""
    work = pathlib.Path(work)
    folder = work / name
    report = folder / "report.json"
    if not report.exists():
        spec = {"job": job}
        if model_path:
            spec["modelPath"] = str(model_path)
        work.mkdir(parents=True, exist_ok=True)
        spec_file = work / f"{name}.json"
        spec_file.write_text(json.dumps(spec))
        subprocess.run([trainer, "--spec", spec_file, "--output", folder], check=True,
                       stdout=subprocess.DEVNULL)
    return json.loads(report.read_text())


def percent(values):
    """Mean and standard deviation of shares."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.2f} ± {100 * spread:.2f}"

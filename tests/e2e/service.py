"""A running Quantry for tests: real server, worker and trainer on free ports, and the real client."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("QUANTRY_BIN", ROOT / "build/release/bin"))
DEADLINE_SECONDS = 900  # of any wait; far above what is needed, so that slow machines pass


class Service:
    """Starts and stops the programs; keeps their logs in a folder that is shown on failure."""

    def __init__(self, lease_seconds=30):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="quantry-test-"))
        self.lease_seconds = lease_seconds
        self.listen = "127.0.0.1:0"
        self.metrics = None
        self.logs = contextlib.ExitStack()
        self.server = None
        self.worker = None

    def __enter__(self):
        self.start_server()
        self.start_worker()
        return self

    def __exit__(self, error_type, *_):
        for process in (self.worker, self.server):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if error_type:
            for log in sorted(self.dir.glob("*.log")):
                print(f"--- {log.name} (end)\n{log.read_text(errors='replace')[-4000:]}")
        self.logs.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _spawn(self, name, *arguments):
        log = self.logs.enter_context(open(self.dir / f"{name}.log", "ab"))
        return subprocess.Popen([str(BIN / f"quantry-{name}"), *arguments], stdout=log, stderr=log,
                                stdin=subprocess.DEVNULL)

    def start_server(self):
        """Starts the server; after the first time at the same address."""
        address_file = self.dir / "server" / "server.addr"
        address_file.unlink(missing_ok=True)
        self.server = self._spawn("server", "--listen", self.listen, "--metrics", "127.0.0.1:0",
                                  "--data-dir", str(self.dir / "server"),
                                  "--lease-duration", str(self.lease_seconds))
        wait_for(lambda: address_file.exists() and "metrics=" in address_file.read_text(),
                 "the server's address file", self.server)
        lines = dict(line.split("=", 1) for line in address_file.read_text().split())
        self.listen, self.metrics = lines["listen"], lines["metrics"]

    def start_worker(self):
        self.worker = self._spawn("worker", "--server", self.listen, "--device", "cpu",
                                  "--data-dir", str(self.dir / "worker"))

    def cli(self, *arguments, check=True):
        """Runs the client; returns the finished process (stdout and stderr as text)."""
        done = subprocess.run([str(BIN / "quantry"), "--server", self.listen, *arguments],
                              capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        if check and done.returncode != 0:
            raise AssertionError(f"quantry {' '.join(arguments)}: exit {done.returncode}\n"
                                 f"{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.cli("--json", *arguments).stdout)

    def submit(self, *arguments):
        return self.json("submit", *arguments)["name"]

    def job(self, name):
        return self.json("get", name)

    def wait(self, name, state="JOB_STATE_SUCCEEDED"):
        """Waits for the job's end, which must be in `state`; returns the job."""
        terminal = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
        result = {}

        def ended():
            result.update(self.job(name))
            return result["state"] in terminal

        wait_for(ended, f"the end of {name}")
        assert result["state"] == state, json.dumps(result.get("failure", result), indent=1)
        return result

    def events(self, name):
        lines = self.cli("--json", "watch", name, check=False).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def trainer_pids(self):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if (arguments[0].endswith(b"quantry-trainer") and
                    any(str(self.dir).encode() in argument for argument in arguments)):
                found.append(int(entry.name))
        return found


def wait_for(condition, what, process=None, seconds=DEADLINE_SECONDS):
    """Polls until condition() holds; fails when `process` ends or `seconds` have passed."""
    end = time.monotonic() + seconds
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"process ended with {process.returncode} while waiting for {what}")
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting for {what}")
        time.sleep(0.1)


def kill9(pid):
    os.kill(pid, signal.SIGKILL)


def trainer(*arguments):
    return subprocess.run([str(BIN / "quantry-trainer"), *arguments], capture_output=True,
                          text=True, timeout=DEADLINE_SECONDS)

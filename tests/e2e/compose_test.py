"""The compose stack on a real Docker engine: built, started, used from outside, stopped, resumed.

Needs Docker with compose v2, whose engine shares this machine's files and loopback address. Nothing
is left behind but the engine's build cache.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

import service

BUILD_SECONDS = 4500  # the whole project, compiled on two cores that do other things too
USER_ID = 10001  # of the Dockerfile's user
SERVICES = ("server", "worker", "prometheus")
CLASSES = 4
EXAMPLES = 512
BATCH_SIZE = 32
EPOCHS = 2
CHECKPOINT_STEPS = 16
NETWORK = f"builtin:mobilenet_v2?width=0.25&classes={CLASSES}"
GLYPHS = f"synthetic://glyphs?classes={CLASSES}&size=32&train={EXAMPLES}&val=64&seed=5"


class Stack:
    """deploy/docker-compose.yml under a name, ports, image tags and a datasets folder of its own."""

    def __init__(self, folder):
        self.project = f"quantry-e2e-{os.getpid()}"
        self.folder = folder
        self.pictures = folder / "datasets"
        self.pictures.mkdir()
        self.pictures.chmod(0o755)  # the worker's user reads it
        self.environment = {
            **os.environ, "QUANTRY_PORT": "0", "QUANTRY_PROMETHEUS_PORT": "0",
            "QUANTRY_TAG": self.project, "QUANTRY_DATASETS": str(self.pictures),
            # All services, so that `down` removes the client's image, too.
            "COMPOSE_PROFILES": "client"}

    def docker(self, *arguments, check=True, timeout=service.DEADLINE_SECONDS):
        """Runs docker; returns the finished process (stdout and stderr as text)."""
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=self.environment, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: exit {done.returncode}\n"
                                 f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def compose(self, *arguments, **options):
        return self.docker("compose", "--file", str(service.ROOT / "deploy/docker-compose.yml"),
                           "--project-name", self.project, "--progress", "plain", *arguments,
                           **options)

    def up(self):
        """Starts the services that `up` starts by default and waits until all are healthy."""
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "300", *SERVICES)

    def remove(self):
        """Shows the logs, then removes containers, networks, volumes and images."""
        print(self.compose("logs", "--tail", "40", check=False).stdout)
        self.compose("down", "--volumes", "--rmi", "all")

    def inspect(self, name):
        container = self.compose("ps", "--all", "--quiet", name).stdout.strip()
        return json.loads(self.docker("inspect", container).stdout)[0]

    def address(self, name, port):
        return self.compose("port", name, str(port)).stdout.strip()

    def execute(self, name, *command):
        return self.compose("exec", "--no-TTY", name, *command, check=False)

    def run_program(self, name, program, *arguments):
        """Runs a program of a service's image on this machine's network, as the test's user."""
        return self.docker("run", "--rm", "--network", "host",
                           "--user", f"{os.getuid()}:{os.getgid()}",
                           "--volume", f"{self.folder}:{self.folder}", "--entrypoint", program,
                           f"quantry-{name}:{self.project}", *arguments)

    def quantry(self, *arguments):
        """Runs the client: the program where it is built, else its image."""
        program = service.BIN / "quantry"
        arguments = ("--server", self.address("server", 7070), *arguments)
        if not program.exists():
            return self.run_program("client", "quantry", *arguments)
        done = subprocess.run([str(program), *arguments], capture_output=True, text=True,
                              timeout=service.DEADLINE_SECONDS)
        if done.returncode != 0:
            raise AssertionError(f"quantry {' '.join(arguments)}: exit {done.returncode}\n"
                                 f"{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.quantry("--json", *arguments).stdout)

    def submit(self, *arguments):
        return self.json("submit", *arguments)["name"]

    def watch(self, job):
        """Follows a job to its end, which must be SUCCEEDED; returns the job and its events."""
        lines = self.quantry("--json", "watch", job).stdout.splitlines()
        ended = self.json("get", job)
        assert ended["state"] == "JOB_STATE_SUCCEEDED", json.dumps(ended, indent=1)
        return ended, [json.loads(line) for line in lines if line.startswith("{")]

    def query(self, expression):
        """The values that Prometheus has for an expression, one per series."""
        url = (f"http://{self.address('prometheus', 9099)}/api/v1/query?"
               + urllib.parse.urlencode({"query": expression}))
        with urllib.request.urlopen(url, timeout=30) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return [float(series["value"][1]) for series in answer["data"]["result"]]


def require_engine():
    """Fails with a sentence that leads out where there is no Docker with compose."""
    for command in (["docker", "version"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            error = "" if done.returncode == 0 else done.stderr.strip()
        except (OSError, subprocess.TimeoutExpired) as failure:
            error = str(failure)
        if error:
            raise AssertionError(
                f"'{' '.join(command)}' failed: {error}\nThis test builds and runs the images: "
                "install Docker with compose v2 and start its engine on this machine, or set "
                "DOCKER_HOST to the socket of an engine that runs here "
                "(DOCKER_HOST=unix:///path/to/docker.sock).")


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        require_engine()
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory(prefix="quantry-compose-")))
        cls.stack = Stack(cls.folder)
        cls.addClassCleanup(cls.stack.remove)
        started = time.monotonic()
        cls.stack.compose("build", timeout=BUILD_SECONDS)
        built = time.monotonic()
        cls.stack.up()
        print(f"built in {built - started:.0f} s, healthy after {time.monotonic() - built:.0f} s")
        print(cls.stack.docker("images", "--filter", f"reference=*:{cls.stack.project}").stdout)

    def test_containers_are_confined(self):
        for name in SERVICES:
            with self.subTest(name):
                self.assertEqual(self.stack.execute(name, "id", "-u").stdout.strip(), str(USER_ID))
                status = self.stack.execute(name, "cat", "/proc/1/status").stdout
                self.assertIn(f"Uid:\t{USER_ID}\t{USER_ID}\t{USER_ID}\t{USER_ID}\n", status)
                self.assertIn("CapBnd:\t0000000000000000\n", status)
                self.assertIn("NoNewPrivs:\t1\n", status)
                written = self.stack.execute(name, "touch", "/usr/local/bin/intruder")
                self.assertIn("Read-only file system", written.stderr)
                self.assertTrue(self.stack.inspect(name)["HostConfig"]["ReadonlyRootfs"])

    def test_client_service(self):
        done = self.stack.compose("run", "--rm", "client", "--json", "version")
        versions = json.loads(done.stdout)
        self.assertEqual(versions["clientVersion"], versions["serverVersion"])

    def test_jobs_from_outside(self):
        trained, _ = self.stack.watch(self.stack.submit(
            "--model", NETWORK, "--dataset", GLYPHS, "--mode", "float", "--set",
            f"epochs={EPOCHS}", "--set", f"batch_size={BATCH_SIZE}"))
        self.check_artifacts(trained, {"model.float.onnx", "report.json"})

        # The same pictures as files, in the folder that the worker has mounted.
        self.stack.run_program("worker", "quantry-trainer", "dataset", GLYPHS, "--output",
                               str(self.stack.pictures / "glyphs"))
        quantized, _ = self.stack.watch(self.stack.submit(
            "--model", f"job:{trained['name'].removeprefix('jobs/')}", "--mode", "ptq", "--dataset",
            "file:///datasets/glyphs", "--set", "quant.weight_bits=8", "--set",
            "quant.activation_bits=8", "--set", "calibration_batches=4"))
        output = self.check_artifacts(quantized, {"model.onnx", "model.float.onnx", "report.json"})
        self.assertEqual(quantized["result"]["weightBits"], 8)
        self.assertEqual(quantized["result"]["activationBits"], 8)
        self.assertAlmostEqual(quantized["result"]["floatTop1"], trained["result"]["floatTop1"])
        # Width 0.25 leaves few weights beside the nodes' names.
        float_size = (output / "model.float.onnx").stat().st_size
        size = (output / "model.onnx").stat().st_size
        print(f"model.onnx has {size} bytes, model.float.onnx {float_size}")
        self.assertLess(size, 0.6 * float_size)

        self.check_metrics()

    def check_artifacts(self, job, expected):
        """Downloads a job's artifacts and checks them against what the server says of them."""
        output = self.folder / job["name"].replace("/", "-")
        self.stack.quantry("download", job["name"], "--output", str(output))
        self.assertLessEqual(expected, {artifact["name"] for artifact in job["artifacts"]})
        self.assertEqual({file.name for file in output.iterdir()},
                         {artifact["name"] for artifact in job["artifacts"]})
        for artifact in job["artifacts"]:
            content = (output / artifact["name"]).read_bytes()
            self.assertEqual(len(content), int(artifact["sizeBytes"]))
            self.assertEqual(hashlib.sha256(content).hexdigest(), artifact["blob"])
        report = json.loads((output / "report.json").read_text())
        self.assertTrue(report)
        return output

    def check_metrics(self):
        """After two jobs, Prometheus has what server and worker count of them."""
        for expression, least in (
                ('up{job="quantry-server"}', 1),
                ('up{job="quantry-worker"}', 1),
                ('quantry_build_info{job="quantry-server",program="quantry-server"}', 1),
                ('quantry_worker_build_info{job="quantry-worker"}', 1),
                ('quantry_jobs{state="succeeded"}', 2),
                ('quantry_job_run_time_seconds_count{state="succeeded"}', 2),
                ('quantry_job_queue_wait_seconds_count', 2),
                ('sum(quantry_attempts_total)', 2),
                ('sum(quantry_rpc_requests_total{method=~".*CreateJob"})', 2),
                ('quantry_blob_bytes_total{direction="in"}', 1),
                ('quantry_blob_bytes_total{direction="out"}', 1),
                ('quantry_worker_slots', 1),
                ('quantry_worker_attempts_total{outcome="succeeded"}', 2),
                ('quantry_worker_attempt_seconds_count', 2),
                ('quantry_worker_trainer_steps_total', EPOCHS * EXAMPLES / BATCH_SIZE),
                ('quantry_worker_trainer_images_total', EPOCHS * EXAMPLES),
                ('quantry_worker_transfer_bytes_total{direction="sent"}', 1)):
            with self.subTest(expression):
                service.wait_for(lambda: max(self.stack.query(expression), default=0) >= least,
                                 f"{expression} >= {least}", seconds=60)

    def test_stopped_in_mid_job(self):
        job = self.stack.submit(
            "--model", NETWORK, "--dataset", GLYPHS, "--mode", "float", "--set", "epochs=16",
            "--set", f"batch_size={BATCH_SIZE}", "--set", f"checkpoint_steps={CHECKPOINT_STEPS}")
        service.wait_for(lambda: "blob" in self.stack.json("get", job).get("checkpoint", {}),
                         "a checkpoint")
        started = time.monotonic()
        self.stack.compose("stop")
        print(f"stopped in {time.monotonic() - started:.1f} s")
        for name in SERVICES:
            state = self.stack.inspect(name)["State"]
            self.assertEqual((state["Status"], state["ExitCode"], state["OOMKilled"]),
                             ("exited", 0, False), name)

        self.stack.up()
        ended, events = self.stack.watch(job)
        self.assertGreaterEqual(ended["attempt"], 2)
        steps = [int(event["progress"].get("step", 0)) for event in events
                 if event.get("attempt", 0) >= 2
                 and event.get("progress", {}).get("phase") == "PHASE_TRAINING"]
        self.assertGreaterEqual(steps[0], CHECKPOINT_STEPS,
                                "the second attempt goes on from the checkpoint")


if __name__ == "__main__":
    unittest.main(verbosity=2)

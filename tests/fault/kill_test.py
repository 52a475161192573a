"""kill -9 of trainer, worker and server in mid-job: the job ends SUCCEEDED, no event is missed."""

import json
import subprocess
import sys
import unittest

import pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import service  # noqa: E402


class KillTest(unittest.TestCase):
    def setUp(self):
        self.running = service.Service(lease_seconds=6)
        self.running.__enter__()
        self.addCleanup(lambda: self.running.__exit__(None))

    def submit(self, *more):
        return self.running.submit(
            "--model", "builtin:mobilenet_v2?width=0.25", "--dataset",
            "synthetic://glyphs?classes=8&size=32&train=1024&val=64&seed=2", "--mode", "float",
            "--set", "epochs=6", "--set", "batch_size=32", "--set", "checkpoint_steps=16",
            "--set", "learning_rate=0.02",  # the default may diverge, depending on how a CPU rounds
            *more)

    def wait_for_checkpoint(self, job):
        """Waits until the server has a checkpoint of the running job."""
        service.wait_for(lambda: "blob" in self.running.job(job).get("checkpoint", {}),
                         "a checkpoint")

    def check_end(self, job):
        ended = self.running.wait(job)
        events = self.running.events(job)
        numbers = [int(event["sequence"]) for event in events]
        self.assertEqual(numbers, list(range(1, int(ended["lastSequence"]) + 1)))
        return ended, events

    def resumed(self, events):
        """Whether a later attempt continued from a checkpoint rather than from the start."""
        first = [int(event["progress"].get("step", 0)) for event in events
                 if "progress" in event and event.get("attempt", 0) >= 2
                 and event["progress"].get("phase") == "PHASE_TRAINING"]
        return bool(first) and first[0] >= 16

    def test_trainer(self):
        job = self.submit()
        self.wait_for_checkpoint(job)
        for pid in self.running.trainer_pids():
            service.kill9(pid)
        ended, events = self.check_end(job)
        self.assertGreaterEqual(ended["attempt"], 2)
        self.assertTrue(self.resumed(events), "the second attempt must go on from the checkpoint")

    def test_one_of_two_ranks(self):
        job = self.submit("--devices", "2")
        self.wait_for_checkpoint(job)
        pids = self.running.trainer_pids()
        self.assertEqual(len(pids), 2)
        service.kill9(pids[-1])
        ended, events = self.check_end(job)
        self.assertGreaterEqual(ended["attempt"], 2)
        self.assertTrue(self.resumed(events), "the second attempt must go on from the checkpoint")
        self.assertIn("RANK_LOST", json.dumps(events))

    def test_worker(self):
        job = self.submit()
        self.wait_for_checkpoint(job)
        service.kill9(self.running.worker.pid)
        self.running.worker.wait()
        service.wait_for(lambda: not self.running.trainer_pids(), "the trainer's end")
        self.running.start_worker()
        ended, events = self.check_end(job)
        self.assertGreaterEqual(ended["attempt"], 2)
        self.assertTrue(self.resumed(events), "the second attempt must go on from the checkpoint")

    def test_server_with_watcher(self):
        job = self.submit()
        watcher = subprocess.Popen(
            [str(service.BIN / "quantry"), "--server", self.running.listen, "--json", "watch", job],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_checkpoint(job)
        service.kill9(self.running.server.pid)
        self.running.server.wait()
        self.running.start_server()
        ended, _ = self.check_end(job)
        output, errors = watcher.communicate(timeout=service.DEADLINE_SECONDS)
        self.assertEqual(watcher.returncode, 0, errors)
        seen = [int(json.loads(line)["sequence"]) for line in output.splitlines()
                if '"sequence"' in line]
        self.assertEqual(seen, list(range(1, int(ended["lastSequence"]) + 1)))


if __name__ == "__main__":
    unittest.main(verbosity=2)

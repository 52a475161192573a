"""What users get wrong: each is refused, or fails as theirs, with a sentence that leads out."""

import json
import os
import pathlib
import tempfile
import unittest

import onnx_wire
import service

GLYPHS = "synthetic://glyphs?classes=4&size=32&train=64&val=32&seed=1"
EXIT_FAILED, EXIT_USAGE = 1, 2


class BadInputTest(unittest.TestCase):
    """Paths are named so that no expected word can come from them."""

    @classmethod
    def setUpClass(cls):
        cls.running = service.Service()
        cls.running.__enter__()
        cls.temporary = tempfile.TemporaryDirectory(prefix="q-")
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None)
        cls.temporary.cleanup()

    def refused(self, advice, *arguments):
        """The server or the client refuses the submission: no job is made."""
        jobs = len(self.running.cli("--json", "list").stdout.splitlines())
        done = self.running.cli("--json", "submit", *arguments, "--wait", check=False)
        self.assertEqual(done.returncode, EXIT_USAGE, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(advice, done.stderr)
        self.assertEqual(len(self.running.cli("--json", "list").stdout.splitlines()), jobs)

    def fails(self, reason, advice, *arguments):
        """The job is made, and fails once, as the user's."""
        done = self.running.cli("--json", "submit", *arguments, "--wait", check=False)
        self.assertEqual(done.returncode, EXIT_FAILED, done.stdout + done.stderr)
        job = json.loads(done.stdout)
        self.assertEqual(job["state"], "JOB_STATE_FAILED")
        self.assertEqual(job["failure"]["kind"], "FAILURE_KIND_USER", job["failure"])
        self.assertEqual(job["failure"]["reason"], reason, job["failure"])
        self.assertIn(advice, job["failure"]["message"])
        self.assertEqual(job["attempt"], 1, "the user's mistakes are not tried again")
        # A person sees the same sentence.
        self.assertIn(advice, self.running.cli("get", job["name"]).stdout)

    def test_not_an_onnx_file(self):
        path = self.folder / "a.bin"
        path.write_bytes(bytes((i * 197 + 31) % 256 for i in range(5000)))
        self.refused("export it with torch.onnx.export", "--model", str(path), "--dataset", GLYPHS,
                     "--mode", "ptq")

    def test_unknown_operator(self):
        path = self.folder / "b.bin"
        path.write_bytes(onnx_wire.model_with_one_node("Frobnicate"))
        self.fails("MODEL_INVALID", "Frobnicate", "--model", str(path), "--dataset", GLYPHS,
                   "--mode", "ptq")

    def test_folder_without_pictures(self):
        (self.folder / "c").mkdir()
        self.fails("DATASET_INVALID", "put them in one folder per class",
                   "--model", "builtin:resnet18", "--dataset", f"file://{self.folder / 'c'}",
                   "--mode", "float")

    def test_class_folder_whose_name_is_not_utf8(self):
        for name in (b"d/caf\xe9", b"d/tea"):
            os.makedirs(os.path.join(os.fsencode(self.folder), name))
        self.fails("DATASET_INVALID", "caf? has no pictures", "--model", "builtin:resnet18",
                   "--dataset", f"file://{self.folder / 'd'}", "--mode", "float")

    def test_unreachable_uri(self):
        self.fails("DATASET_INVALID", "check the path and that it is mounted", "--model", "builtin:resnet18",
                   "--dataset", "file:///nowhere/at/all", "--mode", "float")
        self.refused("synthetic", "--model", "builtin:resnet18", "--dataset", "gopher://host/data",
                     "--mode", "float")

    def test_one_bit_weights(self):
        self.refused("whole numbers from 2 to 16", "--model", "builtin:resnet18",
                     "--dataset", GLYPHS, "--mode", "qat", "--set", "quant.weight_bits=1")


if __name__ == "__main__":
    unittest.main(verbosity=2)

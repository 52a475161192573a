"""What users get wrong: each is refused, or fails as theirs, with a sentence that leads out."""

import json
import os
import pathlib
import struct
import tempfile
import unittest
import zlib

import onnx_wire
import service

GLYPHS = "synthetic://glyphs?classes=4&size=32&train=64&val=32&seed=1"
EXIT_FAILED, EXIT_USAGE = 1, 2


def png(seed):
    """A PNG file of 32 x 32 pixels."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + bytes((x * seed + y) % 256 for x in range(96)) for y in range(32))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


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

    def pictures(self, name, corrupt):
        """A folder of 2 x 20 pictures, the first `corrupt` of them cut short."""
        for i in range(40):
            folder = self.folder / name / ("tea" if i % 2 else "milk")
            folder.mkdir(parents=True, exist_ok=True)
            content = png(i + 1)
            (folder / f"{i:02}.png").write_bytes(content[:60] if i < corrupt else content)
        return ("--model", "builtin:resnet18?width=0.125", "--dataset",
                f"file://{self.folder / name}", "--mode", "float", "--set", "training.epochs=1",
                "--set", "training.batch_size=8", "--set", "data.image_size=32")

    def test_corrupt_pictures(self):
        self.fails("DATASET_CORRUPT", "milk/0", *self.pictures("e", 20))
        self.fails("DATASET_CORRUPT", "max_corrupt_share", *self.pictures("f", 4))
        done = self.running.cli("--json", "submit", *self.pictures("g", 4), "--wait", "--set",
                                "data.max_corrupt_share=0.5", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_remote_data(self):
        def uri(dataset):
            return ("--model", "builtin:resnet18", "--dataset", dataset, "--mode", "float")
        self.refused("must not stand in the URI", *uri("https://me:secret@localhost/a.tar"))
        self.refused("name an object or a range", *uri("https://localhost/folder/"))
        self.refused("64 lower-case hex digits", *uri("s3://bucket/a.tar?sha256=1"))
        self.fails("DATASET_INVALID", "link-local", *uri("http://169.254.169.254/a.tar"))

    def test_one_bit_weights(self):
        self.refused("whole numbers from 2 to 16", "--model", "builtin:resnet18",
                     "--dataset", GLYPHS, "--mode", "qat", "--set", "quant.weight_bits=1")


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""What users get wrong: each is refused, or fails as theirs, with a sentence that leads out."""

import pathlib
import tempfile
import unittest

import service

GLYPHS = "synthetic://glyphs?classes=4&size=32&train=64&val=32&seed=1"


def onnx_with_unknown_operator(path):
    import onnx_wire
    path.write_bytes(onnx_wire.model_with_one_node("Frobnicate"))


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = service.Service()
        cls.running.__enter__()
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None)
        cls.temporary.cleanup()

    def refused_or_user_failure(self, expected, *arguments):
        """Submits; expects the words of `expected` in the refusal or in the USER failure."""
        done = self.running.cli("--json", "submit", *arguments, "--wait", check=False)
        self.assertNotEqual(done.returncode, 0, "this must not succeed")
        text = done.stdout + done.stderr
        if "FAILURE_KIND" in text:
            self.assertIn("FAILURE_KIND_USER", text)
        for word in expected:
            self.assertIn(word.lower(), text.lower())

    def test_not_an_onnx_file(self):
        path = self.folder / "noise.onnx"
        path.write_bytes(bytes((i * 197 + 31) % 256 for i in range(5000)))
        self.refused_or_user_failure(["onnx"], "--model", str(path), "--dataset", GLYPHS,
                                     "--mode", "ptq")

    def test_unknown_operator(self):
        path = self.folder / "unknown.onnx"
        onnx_with_unknown_operator(path)
        self.refused_or_user_failure(["Frobnicate"], "--model", str(path), "--dataset", GLYPHS,
                                     "--mode", "ptq")

    def test_empty_folder(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.refused_or_user_failure(["empty"], "--model", "builtin:resnet18",
                                     "--dataset", f"file://{empty}", "--mode", "float")

    def test_unreachable_uri(self):
        self.refused_or_user_failure(["missing"], "--model", "builtin:resnet18",
                                     "--dataset", "file:///nowhere/missing", "--mode", "float")
        self.refused_or_user_failure(["gopher", "file"], "--model", "builtin:resnet18",
                                     "--dataset", "gopher://host/data", "--mode", "float")

    def test_one_bit_weights(self):
        self.refused_or_user_failure(["weight_bits", "1", "2"], "--model", "builtin:resnet18",
                                     "--dataset", GLYPHS, "--mode", "qat",
                                     "--set", "quant.weight_bits=1")


if __name__ == "__main__":
    unittest.main(verbosity=2)

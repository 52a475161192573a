"""What ONNX Runtime's optimizer makes of the exported networks: every layer an integer kernel."""

import collections
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy

import onnx_wire
import service
from onnx_runtime_test import load_validation, run_onnx_runtime

CLASSES = 10
IMAGE_SIZE = 32
EXAMPLES = 64


def optimize(model, optimized):
    """Operators of the model as ONNX Runtime would run it."""
    done = subprocess.run(
        ["node", str(service.ROOT / "tests/e2e/optimize_onnx.js"), str(model), str(optimized)],
        capture_output=True, text=True, timeout=service.DEADLINE_SECONDS,
        env={**os.environ, "NODE_PATH": str(service.ROOT / "build/onnxruntime/node_modules"),
             "LD_PRELOAD": ""})
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return onnx_wire.nodes_of(optimized.read_bytes())


def quantize(network, width, config, pictures, folder):
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"job": {
        "mode": "MODE_PTQ",
        "model": {"builtin": {"name": network, "width": width}},
        "data": {"trainUri": f"file://{pictures}", "imageSize": IMAGE_SIZE},
        "training": {"batchSize": 32, "calibrationBatches": 2},
        "quantConfig": json.dumps(config)}}))
    output = folder / "out"
    made = service.trainer("--spec", str(spec), "--output", str(output))
    if made.returncode != 0:
        raise AssertionError(made.stderr)
    return output


class OnnxFusionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.pictures = pathlib.Path(cls.temporary.name) / "pictures"
        made = service.trainer(
            "dataset", f"synthetic://glyphs?classes={CLASSES}&size={IMAGE_SIZE}&train=64"
            f"&val={EXAMPLES}&seed=3&difficulty=0.1", "--output", str(cls.pictures))
        if made.returncode != 0:
            raise AssertionError(made.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def check(self, network, width, convolutions, gemms=1, config=None, float_ops=()):
        """`float_ops`: what lies between integer kernels, beside (De)QuantizeLinear."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            output = quantize(network, width, config or {}, self.pictures, folder)
            written = collections.Counter(
                op for op, _, _ in onnx_wire.nodes_of((output / "model.onnx").read_bytes()))
            self.assertEqual(written["Conv"], convolutions)
            run = collections.Counter(
                op for op, _, _ in optimize(output / "model.onnx", folder / "optimized.onnx"))
            print(network, config or {}, dict(sorted(run.items())))
            self.assertEqual(run["QLinearConv"], convolutions)
            self.assertEqual(run["QGemm"], gemms)
            rest = set(run) - {"QLinearConv", "QGemm", "QLinearAdd", "QLinearMul",
                               "Flatten", "QLinearGlobalAveragePool", "NhwcMaxPool", "Transpose",
                               "QuantizeLinear", "DequantizeLinear"}
            self.assertEqual(rest, set(float_ops))
            pixels, _ = load_validation(self.pictures)
            _, logits = run_onnx_runtime(output / "model.onnx", pixels, folder)
            ours = numpy.load(output / "verification.npy")
            self.assertEqual(ours.shape, (EXAMPLES, CLASSES))
            error = numpy.linalg.norm(logits - ours) / numpy.linalg.norm(ours)
            self.assertLess(error, 0.05, "untrained weights: steps may fall either way")
            return run

    def test_mobilenet_v2(self):
        run = self.check("mobilenet_v2", 0.5, 52)
        self.assertEqual(run["QLinearAdd"], 10)

    def test_resnet50(self):
        # The last addition feeds the pooling, which stays in float.
        self.check("resnet50", 0.25, 53, float_ops={"Add", "Relu", "GlobalAveragePool"})

    def test_resnet18(self):
        run = self.check("resnet18", 0.25, 20, float_ops={"Add", "Relu", "GlobalAveragePool"})
        self.assertEqual(run["QLinearAdd"], 7)

    def test_mobilenet_v3_small(self):
        self.check("mobilenet_v3_small", 1.0, 52, gemms=2,
                   float_ops={"HardSigmoid", "Mul", "GlobalAveragePool"})

    def test_fewer_bits(self):
        for bits in (4, 6):
            self.check("mobilenet_v2", 0.5, 52, float_ops={"Clip"},
                       config={"activation_bits": bits, "weight_bits": bits})

    def test_learned_steps_are_signed(self):
        self.check("resnet18", 0.25, 20, float_ops={"Add", "Relu", "GlobalAveragePool"},
                   config={"activation_quantize_type": "lsq_act"})


if __name__ == "__main__":
    unittest.main(verbosity=2)

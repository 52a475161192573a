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


def optimize(model, optimized, *flags):
    """Operators of the model as ONNX Runtime would run it."""
    done = subprocess.run(
        ["node", str(service.ROOT / "tests/e2e/optimize_onnx.js"), str(model), str(optimized),
         *flags],
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
            flags = ["int8"] if (config or {}).get("activation_dtype") == "int8" else []
            run = collections.Counter(op for op, _, _ in optimize(
                output / "model.onnx", folder / "optimized.onnx", *flags))
            print(network, config or {}, dict(sorted(run.items())))
            self.assertEqual(run["QLinearConv"], convolutions)
            self.assertEqual(run["QGemm"], gemms)
            rest = set(run) - {"QLinearConv", "QGemm", "QLinearAdd", "QLinearMul",
                               "Flatten", "QLinearGlobalAveragePool", "NhwcMaxPool", "Transpose",
                               "QuantizeLinear", "DequantizeLinear"}
            self.assertLessEqual(rest, set(float_ops))
            self.check_outputs(output, folder)
            return run

    def check_outputs(self, output, folder):
        """ONNX Runtime computes what was written beside the model."""
        pixels, _ = load_validation(self.pictures)
        _, logits = run_onnx_runtime(output / "model.onnx", pixels, folder)
        ours = numpy.load(output / "verification.npy")
        self.assertEqual(ours.shape, (EXAMPLES, CLASSES))
        error = numpy.linalg.norm(logits - ours) / numpy.linalg.norm(ours)
        self.assertLess(error, 0.05, "untrained weights: steps may fall either way")

    def check_form(self, config, network="resnet18"):
        """A form that ONNX Runtime reads, with whatever kernels."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            output = quantize(network, 0.25, config, self.pictures, folder)
            self.check_outputs(output, folder)
            return (output / "model.onnx").stat().st_size

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

    def test_signed_activations(self):
        self.check("resnet18", 0.25, 20, float_ops={"Add", "Relu", "GlobalAveragePool"},
                   config={"activation_dtype": "int8"})

    def test_unsigned_weights(self):
        self.check("mobilenet_v2", 0.5, 52, config={"dtype": "uint8"})

    def test_learned_steps(self):
        self.check("mobilenet_v2", 0.5, 52, config={"activation_quantize_type": "lsq_act"},
                   float_ops={"Clip"})

    def test_asymmetric(self):
        self.check("mobilenet_v2", 0.5, 52, config={"activation_symmetric": False})

    def test_packed_weights(self):
        packed = self.check_form({"dtype": "int4", "weight_bits": 4})
        self.assertLess(packed, 0.6 * self.check_form({"weight_bits": 4}))

    def test_sixteen_bits(self):
        self.check_form({"weight_bits": 16, "activation_bits": 16})
        self.check_form({"weight_bits": 10, "activation_bits": 12})
        self.check_form({"weight_bits": 8, "activation_bits": 16, "activation_symmetric": False})

    def test_other_profiles(self):
        for profile in ("tensorrt", "openvino", "paddle"):
            self.check_form({"profile": profile})


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""PyTorch's own exports through the running service; ONNX Runtime runs what comes back."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy
import torch
import torchvision

import service

IMAGE_SIZE = 32
CLASSES = 10
EXAMPLES = 256
MEAN = numpy.array([0.485, 0.456, 0.406], dtype=numpy.float32)
STD = numpy.array([0.229, 0.224, 0.225], dtype=numpy.float32)


def export(name, path):
    torch.manual_seed(7)
    model = getattr(torchvision.models, name)(num_classes=CLASSES).eval()
    torch.onnx.export(model, torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE), str(path),
                      opset_version=13, training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False, input_names=["pixels"], output_names=["scores"],
                      dynamic_axes={"pixels": {0: "batch"}, "scores": {0: "batch"}})


def load_validation(folder):
    """The validation pictures as the service sees them: sorted classes, no resize, normalised."""
    from PIL import Image
    pixels, labels = [], []
    classes = sorted(entry.name for entry in (folder / "val").iterdir())
    for label, name in enumerate(classes):
        for file in sorted((folder / "val" / name).iterdir()):
            picture = numpy.asarray(Image.open(file).convert("RGB"), dtype=numpy.float32) / 255
            pixels.append(((picture - MEAN) / STD).transpose(2, 0, 1))
            labels.append(label)
    return numpy.stack(pixels).astype(numpy.float32), numpy.array(labels)


def run_onnx_runtime(model, pixels, folder):
    source, result = folder / "input.f32", folder / "output.f32"
    pixels.tofile(source)
    done = subprocess.run(
        ["node", str(service.ROOT / "tests/e2e/run_onnx.js"), str(model), str(source),
         ",".join(map(str, pixels.shape)), str(result)],
        capture_output=True, text=True, timeout=service.DEADLINE_SECONDS,
        env={**os.environ, "NODE_PATH": str(service.ROOT / "build/onnxruntime/node_modules"),
             "LD_PRELOAD": ""})
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    names = json.loads(done.stdout)
    return names, numpy.fromfile(result, dtype=numpy.float32).reshape(len(pixels), -1)


class OnnxRuntimeTest(unittest.TestCase):
    def check(self, name, learning_rate):
        with service.Service() as running, tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            export(name, folder / "model.onnx")
            pictures = folder / "pictures"
            made = service.trainer(
                "dataset", f"synthetic://glyphs?classes={CLASSES}&size={IMAGE_SIZE}"
                f"&train=2000&val={EXAMPLES}&seed=3&difficulty=0.1", "--output", str(pictures))
            self.assertEqual(made.returncode, 0, made.stderr)
            job = running.submit(
                "--model", str(folder / "model.onnx"), "--dataset", f"file://{pictures}",
                "--mode", "qat", "--set", "epochs=3", "--set", "batch_size=32",
                "--set", f"learning_rate={learning_rate}", "--set", "calibration_batches=4",
                "--set", "random_flip=false", "--set", "random_crop=false")
            ended = running.wait(job)
            output = folder / "out"
            running.cli("download", job, "--output", str(output))
            report = json.loads((output / "report.json").read_text())

            pixels, labels = load_validation(pictures)
            self.assertEqual(len(labels), EXAMPLES)
            names, logits = run_onnx_runtime(output / "model.onnx", pixels, folder)
            self.assertEqual(names, {"inputs": ["pixels"], "outputs": ["scores"]})
            ours = numpy.load(output / "verification.npy")
            self.assertEqual(ours.shape, (EXAMPLES, CLASSES))
            agreement = float((logits.argmax(1) == ours.argmax(1)).mean())
            difference = float(numpy.abs(logits - ours).max())
            print(f"{name}: top-1 {ended['result']['artifactTop1']:.4f}, agrees on {agreement:.2%}, largest logit difference {difference:.4f}"
                  f" (fake-quant against artifact: {report['max_output_difference']:.4f})")
            self.assertGreaterEqual(agreement, 0.99, "picture by picture")
            self.assertAlmostEqual(float((ours.argmax(1) == labels).mean()),
                                   ended["result"]["artifactTop1"], places=6)
            # What was evaluated before writing is what the file computes.
            self.assertLess(report["max_output_difference"], 1e-3)
            float_size = (output / "model.float.onnx").stat().st_size
            self.assertLessEqual((output / "model.onnx").stat().st_size, 0.30 * float_size)
            run_onnx_runtime(output / "model.float.onnx", pixels[:8], folder)

    def test_mobilenet_v2(self):
        self.check("mobilenet_v2", 0.05)

    def test_resnet18(self):
        self.check("resnet18", 0.01)


if __name__ == "__main__":
    unittest.main(verbosity=2)

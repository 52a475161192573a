"""Every mode as a user runs it: through the client, one job after the other, each on what the one
before it made."""

import json
import pathlib
import tempfile
import unittest

import service

GLYPHS = "synthetic://glyphs?classes=4&size=32&train=256&val=64&seed=3"
NETWORK = "builtin:resnet18?classes=4&width=0.125"
QUICK = ("--set", "epochs=1", "--set", "batch_size=32")


class ModesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = service.Service()
        cls.running.__enter__()
        cls.temporary = tempfile.TemporaryDirectory(prefix="q-")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.float_job = cls.finished(NETWORK, "float", "--set", "epochs=2", "--set",
                                     "batch_size=32")["name"]
        cls.float_model = f"job:{cls.float_job.removeprefix('jobs/')}"

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None)
        cls.temporary.cleanup()

    @classmethod
    def finished(cls, model, mode, *arguments, dataset=GLYPHS):
        """The job, after it has succeeded."""
        name = cls.running.submit("--model", str(model), "--dataset", dataset, "--mode", mode,
                                  *arguments)
        return cls.running.wait(name)

    def download(self, job):
        target = self.folder / job["name"].removeprefix("jobs/")
        self.running.cli("download", job["name"], "--output", str(target))
        return target

    def report(self, job):
        return json.loads((self.download(job) / "report.json").read_text())

    def test_float_and_evaluate(self):
        target = self.download(self.running.job(self.float_job))
        self.assertTrue((target / "model.float.onnx").exists())
        self.assertFalse((target / "model.onnx").exists())
        again = self.finished(target / "model.float.onnx", "evaluate")
        trained = self.running.job(self.float_job)["result"]["floatTop1"]
        self.assertEqual(again["result"]["floatTop1"], trained)

    def test_ptq_and_evaluate_of_the_file(self):
        job = self.finished(self.float_model, "ptq", "--set", "quant.weight_bits=6")
        target = self.download(job)
        for name in ("model.onnx", "model.float.onnx", "model.pt", "scales.json", "report.json",
                     "report.html", "verification.npy"):
            self.assertTrue((target / name).exists(), name)
        again = self.finished(target / "model.onnx", "evaluate")
        self.assertEqual(again["result"]["artifactTop1"], job["result"]["artifactTop1"])

    def test_qat_reports_what_the_file_gives(self):
        job = self.finished(self.float_model, "qat", *QUICK, "--set", "quant.weight_bits=4",
                            "--set", "quant.activation_bits=4")
        check = self.report(job)["artifact_check"]
        self.assertEqual(job["result"]["artifactTop1"], job["result"]["fakeQuantTop1"])
        self.assertLess(check["max_output_difference"], 1e-3)

    def test_sensitivity_ranks_every_layer(self):
        job = self.finished(self.float_model, "sensitivity", "--set", "sensitivity.bits=8,3")
        text = self.running.cli("get", job["name"]).stdout
        layers = self.report(job)["sensitivity"]["layers"]
        self.assertGreaterEqual(len(layers), 21)  # 20 convolutions and a linear layer
        for layer in layers:
            self.assertIn(layer["layer"], text)

    def test_mixed_precision_keeps_its_budget(self):
        job = self.finished(self.float_model, "mixed_precision", *QUICK, "--set",
                            "mean_weight_bits=5")
        chosen = self.report(job)["mixed_precision"]
        self.assertLessEqual(chosen["mean_weight_bits"], 5)
        self.assertGreater(len({layer["weight_bits"] for layer in chosen["layers"]}), 1)
        self.assertTrue((self.download(job) / "model.onnx").exists())

    def test_distillation_needs_no_labels(self):
        pictures = self.folder / "pictures"
        self.running.cli("dataset", GLYPHS, "--output", str(pictures))
        lists = {}
        for part in ("train", "val"):
            lists[part] = pictures / f"{part}.csv"
            lists[part].write_text("".join(
                f"{path.relative_to(pictures)}\n"
                for path in sorted((pictures / part).glob("*/*.png"))))
        job = self.finished(self.float_model, "qat", *QUICK, "--set",
                            "training.distillation.kind=kl", "--eval-dataset",
                            f"csv://{lists['val']}?task=none",
                            dataset=f"csv://{lists['train']}?task=none")
        self.assertNotIn("artifactTop1", job["result"])
        metrics = self.report(job)["metrics"]
        self.assertTrue(metrics)
        scored = self.finished(self.download(job) / "model.onnx", "evaluate")
        self.assertGreater(scored["result"]["artifactTop1"], 0)


if __name__ == "__main__":
    unittest.main()

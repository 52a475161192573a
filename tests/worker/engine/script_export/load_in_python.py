"""Loads the TorchScript files that quantry_engine_script_export_test left, with PyTorch alone.

usage: load_in_python.py FOLDER
"""
import pathlib
import sys

import numpy
import torch

LIMIT = 1e-4


def main():
    folder = pathlib.Path(sys.argv[1])
    pixels = numpy.fromfile(folder / "input.f32", dtype=numpy.float32).reshape(4, 3, 32, 32)
    files = sorted(folder.glob("*.pt"))
    assert len(files) >= 7, f"only {files} in {folder}"
    for file in files:
        model = torch.jit.load(str(file))
        model.eval()
        expected = numpy.fromfile(file.with_suffix(".f32"), dtype=numpy.float32).reshape(4, -1)
        with torch.no_grad():
            actual = model(torch.from_numpy(pixels)).numpy()
            one = model(torch.from_numpy(pixels[:1])).numpy()
            exact = model.double()(torch.from_numpy(pixels).double())
        error = numpy.linalg.norm(actual - expected) / numpy.linalg.norm(expected)
        print(f"{file.stem}: relative difference {error:.2e}, "
              f"{len(list(model.parameters()))} parameters, {len(list(model.buffers()))} buffers")
        assert error < LIMIT, file
        assert one.shape == (1, 10), "the batch must be free"
        assert exact.dtype == torch.float64, "the module can be cast as a whole"


if __name__ == "__main__":
    main()

"""Writes safetensors files: 8 bytes with the size of a JSON header, the header, the data."""
import json
import struct

import torch

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
          torch.float64: "F64", torch.int64: "I64"}


def tensor_bytes(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:  # NumPy has no such type
        return tensor.view(torch.int16).numpy().tobytes()
    return tensor.numpy().tobytes()


def write(path, tensors):
    """Writes {name: torch tensor} to `path`."""
    header, data = {"__metadata__": {"format": "pt"}}, []
    position = 0
    for name, tensor in tensors.items():
        data.append(tensor_bytes(tensor))
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [position, position + len(data[-1])]}
        position += len(data[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.writelines(data)

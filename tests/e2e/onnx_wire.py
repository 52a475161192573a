"""Writes tiny ONNX files by hand, from protobuf's wire format, without the onnx package."""


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number, payload):
    if isinstance(payload, int):
        return _varint(number << 3) + _varint(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _value_info(name, dimensions):
    shape = b"".join(_field(1, _field(1, size)) for size in dimensions)
    tensor = _field(1, 1) + _field(2, shape)  # element type FLOAT, shape
    return _field(1, name) + _field(2, _field(1, tensor))


def model_with_one_node(operator):
    """input [1,3,32,32] -> `operator` -> output."""
    node = _field(1, "input") + _field(2, "output") + _field(3, "the_node") + _field(4, operator)
    graph = (_field(1, node) + _field(2, "tiny") +
             _field(11, _value_info("input", (1, 3, 32, 32))) +
             _field(12, _value_info("output", (1, 4))))
    opset = _field(1, "") + _field(2, 13)
    return _field(1, 8) + _field(8, opset) + _field(7, graph)


def _fields(data):
    """(number, value) of each field of a message; value is an int or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 2: None, 5: 4}[kind]
        size = varint() if size is None else size
        yield key >> 3, data[at:at + size]
        at += size


def nodes_of(model):
    """The nodes of an ONNX file's bytes as (operator, inputs, outputs), in order."""
    graph = next(value for number, value in _fields(model) if number == 7)
    nodes = []
    for number, value in _fields(graph):
        if number != 1:
            continue
        fields = list(_fields(value))
        texts = {field: [text.decode() for key, text in fields if key == field]
                 for field in (1, 2, 4)}
        nodes.append((texts[4][0], texts[1], texts[2]))
    return nodes

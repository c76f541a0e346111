#!/usr/bin/env python3
"""Trains the two models that are checked in beside the digits, and measures them.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
    OPENBLAS_NUM_THREADS=1 venv/bin/python datasets/train/train_digits.py

Reads   datasets/data/digits.csv.gz   1797 rows: 64 pixels of 0..16, then the label.
Writes  datasets/data/digits_cnn.onnx and digits_cheap.onnx; input [N, 1, 8, 8] of pixel / 16, output [N, 10] logits.
Prints  each model's accuracy per part, as onnxruntime computes it from the written file, and the files' SHA-256.

Both train on the part `train` alone; the other parts are only measured. Seeds are fixed; another BLAS may round
differently and so reach other weights. The split is that of datasets/src/digits.rs, which documents it.
"""

import gzip
import hashlib
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
PARTS = {"train": (0, 797), "calibration": (797, 897), "canary": (897, 1347), "query": (1347, 1797)}


def main():
    parts = load_parts()
    x, y = parts["train"]

    rng = np.random.default_rng(1)
    layers = [
        Conv(rng, 1, 16), Relu(), Conv(rng, 16, 32), Relu(), MaxPool(),
        Conv(rng, 32, 32), Relu(), MaxPool(), Flatten(), Gemm(rng, 128, 10),
    ]
    train(rng, layers, x, y, epochs=120, rate=2e-3, shift=True)
    export(layers, DATA / "digits_cnn.onnx", "digits_cnn", parts)

    # The model a cheating server would rather run: under 1/700 of the work, and fewer samples and epochs to learn from.
    rng = np.random.default_rng(2)
    layers = [Flatten(), Gemm(rng, 64, 8), Relu(), Gemm(rng, 8, 10)]
    train(rng, layers, x[:300], y[:300], epochs=50, rate=1e-2, shift=False)
    export(layers, DATA / "digits_cheap.onnx", "digits_cheap", parts)


# ---- data -------------------------------------------------------------------------------------------------------


def load_parts():
    """Part -> (pixels / 16 as [n, 1, 8, 8] float32, labels)."""
    with gzip.open(DATA / "digits.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    rows = rows[sorted(range(len(rows)), key=mix)]
    x, y = (rows[:, :64] / 16).reshape(-1, 1, 8, 8).astype(np.float32), rows[:, 64].astype(int)
    return {part: (x[a:b], y[a:b]) for part, (a, b) in PARTS.items()}


def mix(index):
    """The first output of SplitMix64 seeded with `index`: the key by which the rows are shuffled."""
    z = (index + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


# ---- layers: forward keeps what backward needs; `params` and `grads` run in step ----------------------------------


class Layer:
    params, grads = [], []


class Conv(Layer):
    """3x3, stride 1, zero padding 1."""

    def __init__(self, rng, cin, cout):
        self.params = he(rng, (cout, cin, 3, 3), cin * 9), np.zeros(cout, np.float32)

    def forward(self, x):
        weight, bias = self.params
        windows = np.lib.stride_tricks.sliding_window_view(pad(x), (3, 3), axis=(2, 3))  # n c h w 3 3
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(*x.shape[:1], *x.shape[2:], -1)
        return (self.columns @ weight.reshape(len(weight), -1).T + bias).transpose(0, 3, 1, 2)

    def backward(self, dy):
        weight, _ = self.params
        dy = dy.transpose(0, 2, 3, 1)
        self.grads = np.tensordot(dy, self.columns, ([0, 1, 2], [0, 1, 2])).reshape(weight.shape), dy.sum((0, 1, 2))
        n, h, w, _ = dy.shape
        dcolumns = (dy @ weight.reshape(len(weight), -1)).reshape(n, h, w, -1, 3, 3)
        dx = np.zeros((n, weight.shape[1], h + 2, w + 2), np.float32)
        for i in range(3):
            for j in range(3):
                dx[:, :, i : i + h, j : j + w] += dcolumns[..., i, j].transpose(0, 3, 1, 2)
        return dx[:, :, 1:-1, 1:-1]

    def node(self):
        return "Conv", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])


class Gemm(Layer):
    def __init__(self, rng, cin, cout):
        self.params = he(rng, (cout, cin), cin), np.zeros(cout, np.float32)

    def forward(self, x):
        self.x = x
        return x @ self.params[0].T + self.params[1]

    def backward(self, dy):
        self.grads = dy.T @ self.x, dy.sum(0)
        return dy @ self.params[0]

    def node(self):
        return "Gemm", dict(transB=1)


class Relu(Layer):
    def forward(self, x):
        self.live = x > 0
        return x * self.live

    def backward(self, dy):
        return dy * self.live

    def node(self):
        return "Relu", {}


class MaxPool(Layer):
    """2x2, stride 2. Equal maxima share the gradient."""

    def forward(self, x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        y = blocks.max((3, 5), keepdims=True)
        winners = (blocks == y).astype(np.float32)
        self.share = winners / winners.sum((3, 5), keepdims=True)
        return y.reshape(n, c, h // 2, w // 2)

    def backward(self, dy):
        n, c, h, w = dy.shape
        return (self.share * dy.reshape(n, c, h, 1, w, 1)).reshape(n, c, 2 * h, 2 * w)

    def node(self):
        return "MaxPool", dict(kernel_shape=[2, 2], strides=[2, 2])


class Flatten(Layer):
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)

    def node(self):
        return "Flatten", {}


def he(rng, shape, fan_in):
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)


def pad(x):
    return np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))


# ---- training: cross-entropy, Adam with decoupled weight decay, cosine rate ---------------------------------------


def train(rng, layers, x, y, epochs, rate, shift, batch=32, decay=1e-2):
    params = [p for layer in layers for p in layer.params]
    first, second = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    total, step = epochs * -(-len(x) // batch), 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for chosen in np.split(order, range(batch, len(x), batch)):
            step += 1
            out = shifted(rng, x[chosen]) if shift else x[chosen]
            for layer in layers:
                out = layer.forward(out)
            gradient = (softmax(out) - np.eye(10, dtype=np.float32)[y[chosen]]) / np.float32(len(chosen))
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
            now = rate * 0.5 * (1 + np.cos(np.pi * step / total))
            for p, g, m, v in zip(params, (g for layer in layers for g in layer.grads), first, second):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= now * (m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + decay * p)


def shifted(rng, x):
    """Moves each picture by up to one pixel along each axis; what comes in from outside is blank."""
    out = np.empty_like(x)
    for picture, padded, (i, j) in zip(out, pad(x), rng.integers(0, 3, (len(x), 2))):
        picture[:] = padded[:, i : i + 8, j : j + 8]
    return out


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


# ---- export and measurement ---------------------------------------------------------------------------------------


def export(layers, path, name, parts):
    nodes, weights, last = [], [], "input"
    for index, layer in enumerate(layers):
        op, attributes = layer.node()
        inputs = [last]
        for kind, value in zip(("weight", "bias"), layer.params):
            inputs.append(f"{op.lower()}{index}.{kind}")
            weights.append(numpy_helper.from_array(value, inputs[-1]))
        last = "logits" if layer is layers[-1] else f"{op.lower()}{index}"
        nodes.append(helper.make_node(op, inputs, [last], name=f"{op.lower()}{index}", **attributes))
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="serin")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    print(f"{path.name}: {path.stat().st_size} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
    for part, (x, y) in parts.items():
        right = int((session.run(None, {"input": x})[0].argmax(1) == y).sum())
        print(f"  {part:<12}{right:>4} of {len(y)}  {100 * right / len(y):6.2f} %")


if __name__ == "__main__":
    main()

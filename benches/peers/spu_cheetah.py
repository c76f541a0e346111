#!/usr/bin/env python3
"""Two-party inference by SPU's Cheetah (semi-honest, ring of 64 bits), as two processes over loopback.

Prints a JSON list, one object per network and batch:

    network, batch
    bytes_to_server, bytes_to_client     what crossed, as either party's own runtime counts it, without headers
    answer_bytes                         of these, the server's share of the outputs, sent to the client at the end
    messages                             that carried it, both ways
    setup_bytes                          what the first run sent beyond that: base transfers and a first stock of extended ones
    wall_s, server_cpu_s, client_cpu_s   the slower party's clock; CPU time of all threads of each
    weights                              the file they are from, or "seeded"
    max_error                            against float32; a run that is off by over 0.05 is an error

Rank 0 is the server and holds the weights, rank 1 the client and holds the inputs. The runtime is told the owners (its
"colocated optimization"): sharing the weights instead costs 1.3 to 2 times the traffic. Every batch runs twice in the same
processes and the second run counts. A small batch then draws on transfers that the first run stocked, which
favours the peer. The inputs are seeded; so are the weights, unless `--models FOLDER` names one with
mlp_784_128_128_10.onnx and mnist_net.onnx. Those of resnet20, which runs only if it is named, are resnet20.onnx's in FOLDER or
in cifar10 beside it, and seeded where neither is. Where weights are a file's, outputs are held to the reference of `onnx` on it.

    pip install spu==0.9.5 onnx          on Linux, x86-64, with CPython 3.10 or 3.11
"""

import argparse
import json
import math
import multiprocessing.connection
import os
import re
import socket
import sys
import tempfile
import time

import numpy as np

SERVER, CLIENT = 0, 1
TOLERANCE = 0.05


def resnet20():
    """ResNet-20 for CIFAR-10, its batch norms folded: three stages of three blocks, between which the sides halve and the channels
    double; option A, so that a shortcut drops every other pixel and pads with zero channels."""
    layers = [("same", (16, 3, 3, 3), (16,)), ("relu",)]
    before = 16
    for channels in (16,) * 3 + (32,) * 3 + (64,) * 3:
        first = "same" if channels == before else "halve"
        layers += [("keep",), (first, (channels, before, 3, 3), (channels,)), ("relu",)]
        layers += [("same", (channels, channels, 3, 3), (channels,)), ("rejoin",), ("relu",)]
        before = channels
    return layers + [("mean",), ("dense", (10, 64), (10,))]


# The shape of an input, then layers with the shapes of their weights and bias. Pooling before the ReLU gives the same values as
# after it and spares three ReLUs of four, so the peer gets that order.
NETWORKS = {
    "mlp_784_128_128_10": (
        (784,),
        [
            ("dense", (128, 784), (128,)),
            ("relu",),
            ("dense", (128, 128), (128,)),
            ("relu",),
            ("dense", (10, 128), (10,)),
        ],
    ),
    "mnist_net": (
        (1, 28, 28),
        [("conv", (16, 1, 5, 5), (16,)), ("pool",), ("relu",), ("conv", (16, 16, 5, 5), (16,)), ("pool",), ("relu",)]
        + [("flatten",), ("dense", (100, 256), (100,)), ("relu",), ("dense", (10, 100), (10,))],
    ),
    "resnet20": ((3, 32, 32), resnet20()),
    # For the cost of one ReLU on a shared value: the server adds something first, or the client would compute it alone.
    "relu_65536": ((65536,), [("add", (65536,)), ("relu",)]),
}


def model_file(name, models):
    """The ONNX file of a network, or None where seeded weights stand in."""
    if models is None or name.startswith("relu"):
        return None
    folders = [models] + [os.path.join(models, "..", "cifar10")] * (name == "resnet20")
    files = [os.path.join(folder, name + ".onnx") for folder in folders]
    for file in files:
        if os.path.exists(file):
            return file
    if name == "resnet20":
        return None
    raise SystemExit(f"{files[0]} is missing: name its folder with --models, or leave that out for seeded weights")


def parameters(name, file):
    """The weights and biases of a network in the order of its layers."""
    shapes = [shape for _, *shapes in NETWORKS[name][1] for shape in shapes]
    if file is None:
        random = np.random.default_rng(1)
        # Outputs of the size of inputs: one over the root of what is summed.
        scales = [1 / math.sqrt(math.prod(shape[1:])) for shape in shapes]
        return [(random.standard_normal(shape) * scale).astype(np.float32) for shape, scale in zip(shapes, scales)]
    import onnx
    from onnx import numpy_helper

    tensors = [numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer]
    # Integers and scalars are bounds of slices and pads, which the layers state themselves.
    found = [tensor for tensor in tensors if tensor.dtype == np.float32 and tensor.shape]
    if [tensor.shape for tensor in found] != shapes:
        raise SystemExit(
            f"{file}: its tensors are {[t.shape for t in found]}, not {shapes}: pass the folder of the right model"
        )
    return found


def expected(name, file, inputs, weights):
    """What the network gives in float32: by ONNX's reference on its file, else by the layers above."""
    if file is None:
        return forward(name, inputs, weights)
    from onnx.reference import ReferenceEvaluator

    network = ReferenceEvaluator(file)
    return network.run(None, {network.input_names[0]: inputs})[0]


def forward(name, x, weights):
    """The network in JAX, compiled for SPU and run in float32 to check it."""
    import jax.numpy as jnp
    from jax import lax

    weights = iter(weights)
    for layer in NETWORKS[name][1]:
        match layer[0]:
            case "dense":
                x = x @ next(weights).T + next(weights)
            case "same" | "halve":
                strides = (2, 2) if layer[0] == "halve" else (1, 1)
                x = lax.conv_general_dilated(x, next(weights), strides, [(1, 1), (1, 1)])
                x = x + next(weights)[:, None, None]
            # A block's input, and its end, where the shortcut comes back.
            case "keep":
                kept = x
            case "rejoin":
                if kept.shape != x.shape:
                    more = (x.shape[1] - kept.shape[1]) // 2
                    kept = lax.slice(kept, [0] * 4, kept.shape, (1, 1, 2, 2))
                    kept = jnp.pad(kept, ((0, 0), (more, more), (0, 0), (0, 0)))
                x = x + kept
            case "mean":
                x = x.sum((2, 3)) * (1 / math.prod(x.shape[2:]))
            case "conv":
                x = lax.conv_general_dilated(x, next(weights), (1, 1), "VALID") + next(weights)[:, None, None]
            case "add":
                x = x + next(weights)
            case "relu":
                x = jnp.maximum(x, 0)
            case "pool":
                x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            case "flatten":
                x = x.reshape(x.shape[0], -1)
    return x


def party(rank, hosts, log, name, file, batch, threads, answers):
    """One end: runs the batch twice and puts what the second run cost."""
    import jax

    jax.config.update("jax_platforms", "cpu")
    import spu
    from spu import libspu
    from spu.utils import frontend

    # The runtime reports its own traffic at the end of a profiled run, in its log.
    options = libspu.logging.LogOptions()
    options.enable_console_logger, options.system_log_path = False, log
    libspu.logging.setup_logging(options)

    config = libspu.RuntimeConfig(protocol=libspu.ProtocolKind.CHEETAH, field=libspu.FieldType.FM64)
    config.enable_pphlo_profile = True
    config.max_concurrency = threads
    config.experimental_enable_colocated_optimization = True

    weights = parameters(name, file)
    inputs = np.random.default_rng(2).random((batch, *NETWORKS[name][0]), dtype=np.float32)
    owners = [CLIENT] + [SERVER] * len(weights)
    names = [f"in{i}" for i in range(len(owners))]
    executable, _ = frontend.compile(
        frontend.Kind.JAX,
        lambda x, *w: forward(name, x, w),
        [inputs, *weights],
        {},
        names,
        [libspu.Visibility.VIS_SECRET] * len(owners),
        lambda flat: [f"out{i}" for i in range(len(flat))],
    )

    link = libspu.link.Desc()
    link.recv_timeout_ms = 600_000
    for i, host in enumerate(hosts):
        link.add_party(f"party{i}", host)
    link = libspu.link.create_brpc(link, rank)
    io = spu.Io(2, config)
    runtime = spu.Runtime(link, config)
    for i, (owner, value) in enumerate(zip(owners, [inputs, *weights])):
        # Only the owner's share holds the values; the other's says who owns them.
        share = io.make_shares(value, libspu.Visibility.VIS_SECRET, owner)[rank]
        runtime.set_var(names[i], share)

    for _ in range(2):
        link.barrier()
        wall, cpu = time.perf_counter(), time.process_time()
        runtime.run(executable)
        share = runtime.get_var("out0")
        # The server's share of the answer goes to the client, which adds the two.
        if rank == SERVER:
            link.send(CLIENT, share.share_chunks[0])
        else:
            other = libspu.Share()
            other.meta, other.share_chunks = share.meta, [link.recv(SERVER)]
            output = io.reconstruct([other, share])
        cost = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    cost["answer_bytes"] = len(share.share_chunks[0])
    if rank == CLIENT:
        cost["max_error"] = float(np.abs(output - expected(name, file, inputs, weights)).max())
    link.barrier()
    link.stop_link()
    answers.put((rank, cost))


def traffic(log):
    """Bytes and messages sent in the second run and bytes in the first, from the runtime's own log."""
    with open(log) as file:
        lines = re.findall(r"Link details: total send bytes (\d+), recv bytes \d+, send actions (\d+)", file.read())
    if len(lines) != 2:
        raise SystemExit(
            f"{len(lines)} reports of traffic by the runtime instead of 2: install spu 0.9.5, whose log this reads"
        )
    (first, _), (second, messages) = lines
    return int(second), int(messages), int(first)


def measure(name, file, batch, threads):
    """Both parties of one network and batch."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    hosts = free_hosts()
    with tempfile.TemporaryDirectory() as folder:
        logs = [os.path.join(folder, end) for end in ("server", "client")]
        ends = [
            context.Process(target=party, args=(rank, hosts, logs[rank], name, file, batch, threads, answers))
            for rank in (SERVER, CLIENT)
        ]
        for end in ends:
            end.start()
        # A list of its own: one end may die between two looks, and a wait for nothing never returns.
        while alive := [end for end in ends if end.is_alive()]:
            multiprocessing.connection.wait([end.sentinel for end in alive])
            if any(end.exitcode for end in ends):
                # The other would wait for this one until its time-out.
                for end in ends:
                    end.terminate()
        if any(end.exitcode for end in ends):
            raise SystemExit(f"{name}, batch {batch}: a party failed, see above")
        costs = dict(answers.get(timeout=10) for _ in ends)
        down, down_messages, down_first = traffic(logs[SERVER])
        up, up_messages, up_first = traffic(logs[CLIENT])
    error = costs[CLIENT]["max_error"]
    if not error <= TOLERANCE:
        raise SystemExit(f"{name}, batch {batch}: outputs are off by {error}: the run does not count")
    return {
        "network": name,
        "batch": batch,
        "bytes_to_server": up,
        "bytes_to_client": down + costs[SERVER]["answer_bytes"],
        "answer_bytes": costs[SERVER]["answer_bytes"],
        "messages": up_messages + down_messages + 1,
        "setup_bytes": up_first + down_first - up - down,
        "wall_s": max(cost["wall_s"] for cost in costs.values()),
        "server_cpu_s": costs[SERVER]["cpu_s"],
        "client_cpu_s": costs[CLIENT]["cpu_s"],
        "weights": file or "seeded",
        "max_error": error,
    }


def free_hosts():
    """Two addresses on loopback whose ports are free now."""
    with socket.socket() as a, socket.socket() as b:
        for s in (a, b):
            s.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{s.getsockname()[1]}" for s in (a, b)]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", help="folder of the ONNX files; without it, seeded weights")
    options.add_argument("--batch", default="1,16", help="comma-separated batch sizes")
    options.add_argument("--networks", default="mlp_784_128_128_10,mnist_net", help=", ".join(NETWORKS))
    options.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="threads of each party; default: all cores"
    )
    options = options.parse_args()
    networks = options.networks.split(",")
    for name in networks:
        if name not in NETWORKS:
            raise SystemExit(f"there is no network {name}: choose from {', '.join(NETWORKS)}")
    files = {name: model_file(name, options.models) for name in networks}
    for name, file in files.items():
        parameters(name, file)
    batches = [int(batch) for batch in options.batch.split(",")]
    runs = [measure(name, file, batch, options.threads) for name, file in files.items() for batch in batches]
    json.dump(runs, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()

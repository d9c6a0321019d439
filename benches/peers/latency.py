"""Latency beside the peers: lmpipe, ONNX Runtime and PyTorch on the same model, in interleaved rounds.

    pip install -r benches/peers/requirements.txt
    cargo build --release
    python benches/peers/latency.py target/release/lmpipe MODEL_DIR [--threads 1] [--rounds 7] [--json FILE]

MODEL_DIR is a BERT encoder as Hugging Face writes it. Every engine computes the last hidden state of the same shapes of
batch: lmpipe from f32 and from its own int8 model, ONNX Runtime from the exported graph, f32 and quantised (dynamic, per
channel), PyTorch in f32 and `quantize_dynamic`. In each round each engine has its turn: a slow moment of the machine hits
all of them. The table has the median of the rounds' medians in milliseconds, their range, and how much slower than lmpipe.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap

parser = argparse.ArgumentParser()
parser.add_argument("lmpipe")
parser.add_argument("model")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--shapes", default="1x32,1x128,1x512,32x128")
parser.add_argument("--json")
arguments = parser.parse_args()
shapes = [tuple(map(int, shape.split("x"))) for shape in arguments.shapes.split(",")]
lmpipe = os.path.abspath(arguments.lmpipe)

WORKER = textwrap.dedent('''
    import json, os, statistics, sys, time
    engine, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    import numpy as np

    def batch(rows, length):
        ids = ((np.arange(rows * length, dtype=np.int64) * 7919 + 13) % 28000 + 1000).reshape(rows, length)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    if engine.startswith("torch"):
        import torch
        from transformers import BertModel
        torch.set_num_threads(threads)
        net = BertModel.from_pretrained(model, attn_implementation="sdpa").eval()
        if engine.endswith("int8"):
            net = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, dtype=torch.qint8)

        def prepare(rows, length):
            feed = {name: torch.from_numpy(values) for name, values in batch(rows, length).items()}
            def run():
                with torch.inference_mode():
                    return net(**feed).last_hidden_state
            return run
    else:
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        wanted = {entry.name for entry in session.get_inputs()}

        def prepare(rows, length):
            feed = {name: values for name, values in batch(rows, length).items() if name in wanted}
            return lambda: session.run(None, feed)

    for line in sys.stdin:
        rows, length = map(int, line.split())
        run = prepare(rows, length)
        run(), run()
        times, start = [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - start < 0.5:
            before = time.perf_counter()
            run()
            times.append((time.perf_counter() - before) * 1e3)
        print(statistics.median(times), flush=True)
''')


def export(folder):
    """The graph of ONNX Runtime, f32 and int8."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertModel

    class Encoder(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.net(input_ids, attention_mask, token_type_ids).last_hidden_state

    ids = torch.randint(1000, 2000, (2, 16))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    path = os.path.join(folder, "f32.onnx")
    net = Encoder(BertModel.from_pretrained(arguments.model, attn_implementation="eager")).eval()
    torch.onnx.export(
        net, (ids, torch.ones_like(ids), torch.zeros_like(ids)), path, input_names=names,
        output_names=["last_hidden_state"], dynamic_axes={name: {0: "rows", 1: "length"} for name in names},
        opset_version=17, dynamo=False,
    )
    int8 = os.path.join(folder, "int8.onnx")
    quantize_dynamic(path, int8, per_channel=True, reduce_range=False, weight_type=QuantType.QInt8)
    return path, int8


def quantize(folder):
    """lmpipe's int8 model of the same encoder."""
    recipe = os.path.join(folder, "int8.yaml")
    with open(recipe, "w") as file:
        file.write(f"lmpipe: 1\nname: peers\ninputs: {{f32: {{model: {json.dumps(os.path.abspath(arguments.model))}}}}}\n")
        file.write("stages: {int8: {uses: quantize, in: f32, with: {embeddings: true}}}\n")
    store = ["--store", os.path.join(folder, "store")]
    subprocess.run([lmpipe, "run", recipe, *store, "--quiet"], check=True)
    found = subprocess.run([lmpipe, "cache", "path", "peers", "int8", *store], check=True, capture_output=True, text=True)
    return found.stdout.strip()


class Peer:
    def __init__(self, folder, engine, model):
        worker = os.path.join(folder, "worker.py")
        with open(worker, "w") as file:
            file.write(WORKER)
        environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-W", "ignore", worker, engine, model, str(arguments.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )

    def measure(self, rows, length):
        print(rows, length, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


class Lmpipe:
    def __init__(self, model):
        self.model = model

    def measure(self, rows, length):
        command = [lmpipe, "bench", self.model, "--batch", str(rows), "--length", str(length), "--format", "json"]
        command += ["--no-memory", "--threads", str(arguments.threads), "--rounds", "30" if rows * length < 2000 else "7"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        metrics = json.loads(found.stdout)["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"].endswith("p50_ms"))


with tempfile.TemporaryDirectory() as folder:
    f32, int8 = export(folder)
    engines = {
        "lmpipe f32": Lmpipe(arguments.model),
        "ONNX Runtime f32": Peer(folder, "onnxruntime", f32),
        "torch f32": Peer(folder, "torch", arguments.model),
        "lmpipe int8": Lmpipe(quantize(folder)),
        "ONNX Runtime int8": Peer(folder, "onnxruntime", int8),
        "torch int8": Peer(folder, "torch int8", arguments.model),
    }
    times = {(name, shape): [] for name in engines for shape in shapes}
    for number in range(arguments.rounds):
        for shape in shapes:
            order = list(engines)
            for name in order[number % len(order) :] + order[: number % len(order)]:
                times[name, shape].append(engines[name].measure(*shape))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

results = []
print(f"{arguments.threads} thread(s), {arguments.rounds} rounds; ms, range of the rounds, times lmpipe's\n")
print("| engine |" + "".join(f" {rows} × {length} |" for rows, length in shapes))
print("|---|" + "---|" * len(shapes))
for name in engines:
    cells = []
    for shape in shapes:
        own = times[name, shape]
        reference = times["lmpipe int8" if name.endswith("int8") else "lmpipe f32", shape]
        ratio = statistics.median(a / b for a, b in zip(own, reference))
        cells.append(f" {statistics.median(own):.2f} ({min(own):.2f}–{max(own):.2f}), {ratio:.2f}× |")
        results.append({"engine": name, "shape": shape, "ms": own, "ratio": ratio, "threads": arguments.threads})
    print(f"| {name} |" + "".join(cells))
if arguments.json:
    with open(arguments.json, "w") as file:
        json.dump(results, file, indent=1)

"""Real rows beside the peers: every row of a test split through a classifier, in milliseconds a row.

    pip install -r benches/peers/requirements.txt
    cargo build --release
    python benches/peers/rows.py target/release/lmpipe MODEL_DIR datasets/movie-reviews.parquet [--max-length 128] [--threads 1]

MODEL_DIR is a BERT sequence classifier as Hugging Face writes it (a fine-tuned model of `lmpipe run`). All engines compute the
logits of the same rows in batches of 32. The peers pad each batch to its longest row, with the rows in the order of the file and,
a second time, sorted by length; their rows are tokenised before the clock starts. lmpipe takes the order of the file, and
its time has the tokenising in it. In each round each engine has its turn.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("lmpipe")
parser.add_argument("model")
parser.add_argument("data")
parser.add_argument("--text", default="text")
parser.add_argument("--label", default="label")
parser.add_argument("--max-length", type=int, default=128)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--json")
arguments = parser.parse_args()
os.environ.update(OMP_NUM_THREADS=str(arguments.threads), HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import numpy as np
import onnxruntime
import pyarrow.parquet
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoTokenizer, BertForSequenceClassification

torch.set_num_threads(arguments.threads)
BATCH = 32


def batches():
    """The test rows in the order of the file, and sorted by length, each batch padded to its longest row."""
    rows = pyarrow.parquet.read_table(arguments.data).to_pylist()
    texts = [row[arguments.text] for row in rows if row["split"] == "test"]
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    encoded = [tokenizer(text, truncation=True, max_length=arguments.max_length)["input_ids"] for text in texts]

    def pad(rows):
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for line, row in zip(ids, rows):
            line[: len(row)] = row
        mask = (np.arange(ids.shape[1]) < np.array([len(row) for row in rows])[:, None]).astype(np.int64)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}

    cut = lambda rows: [pad(rows[first : first + BATCH]) for first in range(0, len(rows), BATCH)]
    return len(texts), sum(map(len, encoded)), {"file order": cut(encoded), "sorted": cut(sorted(encoded, key=len))}


def engines(folder):
    """A function for each peer that gives the logits of a batch."""
    net = BertForSequenceClassification.from_pretrained(arguments.model, attn_implementation="sdpa").eval()
    int8 = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, dtype=torch.qint8)

    def with_torch(net):
        def run(feed):
            with torch.inference_mode():
                return net(**{name: torch.from_numpy(values) for name, values in feed.items()}).logits.numpy()
        return run

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = BertForSequenceClassification.from_pretrained(arguments.model, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.net(input_ids, attention_mask, token_type_ids).logits

    ids, names = torch.randint(1000, 2000, (2, 16)), ["input_ids", "attention_mask", "token_type_ids"]
    path, quantized = os.path.join(folder, "f32.onnx"), os.path.join(folder, "int8.onnx")
    torch.onnx.export(
        Logits(), (ids, torch.ones_like(ids), torch.zeros_like(ids)), path, input_names=names, output_names=["logits"],
        dynamic_axes={name: {0: "rows", 1: "length"} for name in names}, opset_version=17, dynamo=False,
    )
    quantize_dynamic(path, quantized, per_channel=True, reduce_range=False, weight_type=QuantType.QInt8)

    def with_onnxruntime(path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = arguments.threads, 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        wanted = {entry.name for entry in session.get_inputs()}
        return lambda feed: session.run(None, {name: values for name, values in feed.items() if name in wanted})[0]

    return {
        "ONNX Runtime f32": with_onnxruntime(path), "torch f32": with_torch(net),
        "ONNX Runtime int8": with_onnxruntime(quantized), "torch int8": with_torch(int8),
    }


def lmpipe(folder, n_rows):
    """Milliseconds a row of lmpipe, f32 and int8, from its own `bench` stage."""
    store = tempfile.mkdtemp(dir=folder)
    recipe = os.path.join(store, "rows.yaml")
    quoted = {name: json.dumps(os.path.abspath(path)) for name, path in [("model", arguments.model), ("data", arguments.data)]}
    with open(recipe, "w") as file:
        file.write(f"""lmpipe: 1
name: rows
devices: {{serving: {{device: cpu, threads: {arguments.threads}, exclusive: true}}}}
inputs:
  f32: {{model: {quoted["model"]}}}
  data: {{dataset: {quoted["data"]}, text: {arguments.text}, label: {arguments.label}, split: split}}
stages:
  int8: {{uses: quantize, in: f32, with: {{embeddings: true}}}}
  bench:
    uses: bench
    in: {{models: [f32, int8], data: data}}
    device: serving
    with: {{length: [16], rounds: 3, memory: false, throughput_rows: {n_rows}, throughput_batch: {BATCH}, max_length: {arguments.max_length}}}
""")
    options = ["--store", os.path.join(store, "store"), "--reports", os.path.join(store, "reports"), "--quiet"]
    subprocess.run([os.path.abspath(arguments.lmpipe), "run", recipe, *options], check=True)
    with open(os.path.join(store, "reports", "metrics.json")) as file:
        text = file.read()
    rates = {}

    def find(node):
        if isinstance(node, dict):
            name = node.get("name")
            if isinstance(name, str) and name.endswith("throughput.rows_per_second"):
                rates[name.split(".")[0]] = node["value"]
            list(map(find, node.values()))
        elif isinstance(node, list):
            list(map(find, node))

    find(json.loads(text))
    return {name: 1e3 / rate for name, rate in rates.items()}


with tempfile.TemporaryDirectory() as folder:
    n_rows, tokens, orders = batches()
    peers = engines(folder)
    times = {}
    for number in range(arguments.rounds):
        for name, value in lmpipe(folder, n_rows).items():
            times.setdefault((f"lmpipe {name}", "file order"), []).append(value)
        for name, run in peers.items():
            for order, feeds in orders.items():
                run(feeds[0])
                start = time.perf_counter()
                for feed in feeds:
                    run(feed)
                times.setdefault((name, order), []).append((time.perf_counter() - start) * 1e3 / n_rows)
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

print(f"{n_rows} rows, {tokens / n_rows:.1f} tokens a row, {arguments.threads} thread(s), {arguments.rounds} rounds\n")
print("| engine | order | ms a row (range) | times lmpipe's |\n|---|---|---|---|")
results = []
for (name, order), own in times.items():
    reference = times["lmpipe int8" if name.endswith("int8") else "lmpipe f32", "file order"]
    ratio = statistics.median(a / b for a, b in zip(own, reference))
    print(f"| {name} | {order} | {statistics.median(own):.3f} ({min(own):.3f}–{max(own):.3f}) | {ratio:.2f}× |")
    results.append({"engine": name, "order": order, "ms": own, "ratio": ratio, "threads": arguments.threads})
if arguments.json:
    with open(arguments.json, "w") as file:
        json.dump(results, file, indent=1)

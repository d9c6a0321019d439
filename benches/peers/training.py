"""The training step beside PyTorch: fine-tuning a classifier on real rows, in milliseconds a step.

    pip install -r benches/peers/requirements.txt
    cargo build --release
    python benches/peers/training.py target/release/lmpipe MODEL_DIR datasets/movie-reviews.parquet [--threads 2] [--rounds 3]

Both train the same encoder with a fresh two-class head: batches of 32 rows, dropout as the model has it, gradients clipped
to 1, AdamW. PyTorch's rows are tokenised before the clock starts, and its batches hold rows of about the same length, padded to
the longest; lmpipe shuffles rows and pads nothing. lmpipe's time is the difference between a training on many rows and
one on few, so that loading is not counted. Each round, each engine has its turn; the step is a mean over `--steps`.
"""
import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("lmpipe")
parser.add_argument("model")
parser.add_argument("data")
parser.add_argument("--steps", type=int, default=40)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--json")
arguments = parser.parse_args()
os.environ.update(OMP_NUM_THREADS=str(arguments.threads), HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import pyarrow.parquet
import torch
from transformers import AutoTokenizer, BertForSequenceClassification

torch.set_num_threads(arguments.threads)
BATCH, MAX_LENGTH, FEW = 32, 128, 10


def torch_batches():
    rows = [row for row in pyarrow.parquet.read_table(arguments.data).to_pylist() if row["split"] == "train"]
    labels = sorted({row["label"] for row in rows})
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    encoded = [(tokenizer(row["text"], truncation=True, max_length=MAX_LENGTH)["input_ids"], labels.index(row["label"])) for row in rows]
    encoded.sort(key=lambda row: len(row[0]))
    groups = [encoded[first : first + BATCH] for first in range(0, len(encoded), BATCH)]
    random.Random(0).shuffle(groups)
    batches = []
    for group in groups[: arguments.steps + 3]:
        longest = max(len(ids) for ids, _ in group)
        ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in group])
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in group])
        batches.append({"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([label for _, label in group])})
    return batches


def train_torch(batches):
    """Seconds of wall and processor a step, and real tokens a step."""
    torch.manual_seed(0)
    net = BertForSequenceClassification.from_pretrained(arguments.model, num_labels=2, attn_implementation="sdpa").train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-5, weight_decay=0.01)

    def step(batch):
        loss = net(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    for batch in batches[:3]:
        step(batch)
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in batches[3:]:
        step(batch)
    n = len(batches) - 3
    tokens = sum(int(batch["attention_mask"].sum()) for batch in batches[3:]) / n
    return (time.perf_counter() - wall) / n, (time.process_time() - cpu) / n, tokens


def run_lmpipe(folder, steps):
    """Seconds of wall of the stage, and of processor of the whole run."""
    folder = tempfile.mkdtemp(dir=folder)
    recipe = os.path.join(folder, "training.yaml")
    model, data = json.dumps(os.path.abspath(arguments.model)), json.dumps(os.path.abspath(arguments.data))
    with open(recipe, "w") as file:
        file.write(f"""lmpipe: 1
name: training
seed: 1
devices: {{train: {{device: cpu, threads: {arguments.threads}}}}}
inputs:
  base: {{model: {model}}}
  reviews: {{dataset: {data}, text: text, label: label, split: split}}
stages:
  few: {{uses: query, in: reviews, with: {{sql: "SELECT * FROM data WHERE split = 'train' LIMIT {steps * BATCH}"}}}}
  model: {{uses: finetune, in: {{model: base, data: few}}, device: train, with: {{epochs: 1, batch_size: {BATCH}, keep_epoch: last, max_length: {MAX_LENGTH}}}}}
""")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [os.path.abspath(arguments.lmpipe), "run", recipe, "--store", os.path.join(folder, "store"), "--format", "json"]
    command += ["--reports", os.path.join(folder, "reports"), "--quiet"]
    events = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    events = [json.loads(line) for line in events.splitlines()]
    seconds = next(event["seconds"] for event in events if event.get("name") == "model" and "seconds" in event)
    return seconds, processor


batches = torch_batches()
walls, cpus = {"lmpipe": [], "torch": []}, {"lmpipe": [], "torch": []}
with tempfile.TemporaryDirectory() as folder:
    for number in range(arguments.rounds):
        few, many = run_lmpipe(folder, FEW), run_lmpipe(folder, FEW + arguments.steps)
        walls["lmpipe"].append((many[0] - few[0]) / arguments.steps * 1e3)
        cpus["lmpipe"].append((many[1] - few[1]) / arguments.steps * 1e3)
        wall, cpu, tokens = train_torch(batches)
        walls["torch"].append(wall * 1e3)
        cpus["torch"].append(cpu * 1e3)
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

print(f"{arguments.threads} thread(s), {arguments.rounds} rounds of {arguments.steps} steps; torch: {tokens:.0f} tokens a step\n")
print("| engine | ms a step (range) | times lmpipe's | processor ms a step |\n|---|---|---|---|")
results = []
for name, own in walls.items():
    ratio = statistics.median(a / b for a, b in zip(own, walls["lmpipe"]))
    print(f"| {name} | {statistics.median(own):.0f} ({min(own):.0f}–{max(own):.0f}) | {ratio:.2f}× | {statistics.median(cpus[name]):.0f} |")
    results.append({"engine": name, "ms": own, "processor_ms": cpus[name], "ratio": ratio, "threads": arguments.threads})
if arguments.json:
    with open(arguments.json, "w") as file:
        json.dump(results, file, indent=1)

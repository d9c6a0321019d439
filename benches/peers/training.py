"""Training: time of a step of fine-tuning on real rows, lmpipe beside torch, both in f32: 32 rows of movie-reviews, and two documents
of 2,048 tokens with windows of 512 and one global token."""
import json
import os
import shutil
import sys
from dataclasses import dataclass

import process
from data import encode, rows
from engines import export
from table import rotated

@dataclass
class Work:
    """What is trained: a model, rows of two labels, rows a step, and tokens a row."""

    model: str
    rows: list
    batch: int
    length: int
    folder: str

    @property
    def steps(self):
        return -(-len(self.rows) // self.batch)


def measure(options, models, results):
    found = rows("movie-reviews", "train", options.steps * 32)
    short = [{**row, "label": "ab"[row["label"] == "positive"]} for row in found]
    compare(options, models, results, "training", Work(models.f32, short, 32, 128, models.folder))


def measure_long(options, models, results):
    folder = os.path.join(models.folder, "long-training")
    export("long", models.f32, folder)
    found = rows("rfc", "train", 2 * options.long_steps)
    documents = [{**row, "label": "ab"[number % 2]} for number, row in enumerate(found)]
    compare(options, models, results, "long-training", Work(os.path.join(folder, "windows"), documents, 2, 2048, folder))


def compare(options, models, results, part, work):
    engines = {"lmpipe f32": lambda: lmpipe(options, models, work), "torch f32": lambda: torch(options, work)}
    for number in range(options.rounds):
        for title in rotated(engines, number):
            results.add(part, f"a step of {work.batch} rows", title, engines[title]())
        options.say(f"{part}: round {number + 1} of {options.rounds}")


def lmpipe(options, models, work):
    """The difference of two epochs and one: reading, tokenising and writing are in both."""
    one, two = (finetune(options, models, work, epochs) for epochs in (1, 2))
    return {
        "ms": (two.seconds - one.seconds) * 1e3 / work.steps,
        "cpu_ms": (two.processor - one.processor) * 1e3 / work.steps,
        "bytes": two.peak_bytes,
    }


def finetune(options, models, work, epochs):
    lines = os.path.join(work.folder, "train.jsonl")
    with open(lines, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in work.rows)
    recipe, store = os.path.join(models.folder, "train.yaml"), os.path.join(models.folder, "train-store")
    # Nothing may come from the store.
    shutil.rmtree(store, ignore_errors=True)
    with open(recipe, "w") as file:
        file.write("lmpipe: 1\nname: peers-training\n")
        file.write(f"devices: {{train: {{device: cpu, threads: {options.threads}}}}}\n")
        file.write(f"inputs:\n  model: {{model: {json.dumps(work.model)}}}\n")
        # Only a training split: an epoch is steps and nothing else.
        file.write(f"  rows: {{dataset: {json.dumps(lines)}, text: text, label: label, split: split}}\n")
        file.write("stages:\n  tuned:\n    uses: finetune\n    in: {model: model, data: rows}\n    device: train\n")
        file.write(f"    with: {{epochs: {epochs}, batch_size: {work.batch}, max_length: {work.length}, dropout: 0.1, ")
        file.write("learning_rate: 5.0e-5, keep_epoch: last}\n")
    return process.run([models.program, "run", recipe, "--store", store, "--quiet"])


def torch(options, work):
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_worker.py")
    ids = os.path.join(work.folder, "train.ids.json")
    encoded = encode(work.model, [row["text"] for row in work.rows], work.length)
    with open(ids, "w") as file:
        json.dump({"ids": encoded, "labels": [int(row["label"] == "b") for row in work.rows]}, file)
    command = [sys.executable, "-W", "ignore", worker, work.model, ids, str(options.threads), str(work.batch)]
    ended = process.run(command)
    return {**json.loads(ended.text.strip().splitlines()[-1]), "bytes": ended.peak_bytes}

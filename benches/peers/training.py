"""Training: time of a step of fine-tuning on real rows, lmpipe beside torch, both in f32 with batches of 32."""
import json
import os
import shutil
import sys

import process
from data import encode, rows
from table import rotated

BATCH, LENGTH = 32, 128


def measure(options, models, results):
    found = rows("movie-reviews", "train", options.steps * BATCH)
    lines, ids = os.path.join(models.folder, "train.jsonl"), os.path.join(models.folder, "train.ids.json")
    with open(lines, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in found)
    encoded = encode(models.f32, [row["text"] for row in found], LENGTH)
    with open(ids, "w") as file:
        json.dump({"ids": encoded, "labels": [int(row["label"] == "positive") for row in found]}, file)
    steps = -(-len(found) // BATCH)
    engines = {
        "lmpipe f32": lambda: lmpipe(options, models, lines, steps),
        "torch f32": lambda: torch(options, models, ids),
    }
    for number in range(options.rounds):
        for title in rotated(engines, number):
            results.add("training", f"a step of {BATCH} rows", title, engines[title]())
        options.say(f"training: round {number + 1} of {options.rounds}")


def lmpipe(options, models, lines, steps):
    """The difference of two epochs and one: reading, tokenising and writing are in both."""
    one, two = (finetune(options, models, lines, epochs) for epochs in (1, 2))
    return {
        "ms": (two.seconds - one.seconds) * 1e3 / steps,
        "cpu_ms": (two.processor - one.processor) * 1e3 / steps,
    }


def finetune(options, models, lines, epochs):
    recipe, store = os.path.join(models.folder, "train.yaml"), os.path.join(models.folder, "train-store")
    # Nothing may come from the store.
    shutil.rmtree(store, ignore_errors=True)
    with open(recipe, "w") as file:
        file.write("lmpipe: 1\nname: peers-training\n")
        file.write(f"devices: {{train: {{device: cpu, threads: {options.threads}}}}}\n")
        file.write(f"inputs:\n  model: {{model: {json.dumps(models.f32)}}}\n")
        # Only a training split: an epoch is steps and nothing else.
        file.write(f"  rows: {{dataset: {json.dumps(lines)}, text: text, label: label, split: split}}\n")
        file.write("stages:\n  tuned:\n    uses: finetune\n    in: {model: model, data: rows}\n    device: train\n")
        file.write(f"    with: {{epochs: {epochs}, batch_size: {BATCH}, max_length: {LENGTH}, dropout: 0.1, ")
        file.write("learning_rate: 5.0e-5, keep_epoch: last}\n")
    return process.run([models.program, "run", recipe, "--store", store, "--quiet"])


def torch(options, models, ids):
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_worker.py")
    ended = process.run([sys.executable, "-W", "ignore", worker, models.f32, ids, str(options.threads)])
    return json.loads(ended.text.strip().splitlines()[-1])

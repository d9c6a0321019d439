"""lmpipe beside ONNX Runtime and PyTorch on the same model, in interleaved rounds; README.md says what is measured.

    pip install -r benches/peers/requirements.txt
    cargo build --release
    python benches/peers/run.py target/release/lmpipe MODEL_DIR [--threads 1] [--rounds 5] [--only latency,rows] [--json FILE]
"""
import argparse
import json
import os
import sys
import tempfile

import latency
import led
import long
import memory
import rows
import training
from engines import Models
from table import Results

PARTS = {
    "latency": latency.measure,
    "rows": rows.measure,
    "threads": rows.threads,
    "memory": memory.measure,
    "training": training.measure,
    "long-training": training.measure_long,
    "long": long.measure,
    "led": led.measure,
}


def shapes(text):
    return [tuple(map(int, shape.split("x"))) for shape in text.split(",")]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lmpipe", help="the program")
    parser.add_argument("model", help="the folder of a BERT encoder with its tokenizer.json, f32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(PARTS), help="the parts, separated by commas (default: all)")
    parser.add_argument("--json", help="a file for every round of every engine")
    parser.add_argument("--limit", type=int, help="rows of a test split (default: all)")
    parser.add_argument("--shapes", type=shapes, help="shapes of latency, as 1x128,8x128")
    parser.add_argument("--no-base", action="store_true", help="leave out the latency of BERT-base's shape")
    parser.add_argument("--calls", type=int, default=300, help="calls before memory is read")
    parser.add_argument("--steps", type=int, default=40, help="steps of an epoch of training")
    parser.add_argument("--long-steps", type=int, default=6, help="steps of an epoch of training on long documents")
    found = parser.parse_args()
    found.only = found.only.split(",")
    strange = [part for part in found.only if part not in PARTS]
    if strange:
        parser.error(f"no part is called {', '.join(strange)}; there are {', '.join(PARTS)}")
    for path in (found.lmpipe, os.path.join(found.model, "tokenizer.json")):
        if not os.path.exists(path):
            parser.error(f"there is no {path}")
    found.say = lambda text: print(text, file=sys.stderr, flush=True)
    return found


def main():
    found = options()
    results = Results(found.threads)
    print(f"{found.threads} thread(s), {found.rounds} rounds; medians, ranges of the rounds, and × of lmpipe in the same precision")
    with tempfile.TemporaryDirectory() as folder:
        models = Models(os.path.abspath(found.lmpipe), found.model, folder)
        for part, measure in PARTS.items():
            if part in found.only:
                measure(found, models, results)
                results.show(part)
                # After every part: a run of an hour that fails in its last part keeps the others.
                if found.json:
                    with open(found.json, "w") as file:
                        json.dump(list(results.rows()), file, indent=1)


if __name__ == "__main__":
    main()

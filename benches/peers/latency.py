"""Latency: batches of one length, on the model and on an encoder of BERT-base's shape with random weights."""
import os

from engines import Models, export
from table import rotated

SHAPES = [(1, 32), (1, 128), (1, 512), (32, 128)]
BASE_SHAPES = [(1, 128), (8, 128)]


def measure(options, models, results):
    shapes(options, models, results, "model", options.shapes or SHAPES)
    if options.no_base:
        return
    folder = os.path.join(models.folder, "base")
    export("base", models.f32, folder)
    base = Models(models.program, folder, os.path.join(models.folder, "base-made"))
    shapes(options, base, results, "BERT-base", options.shapes or BASE_SHAPES)


def shapes(options, models, results, name, wanted):
    engines = models.all(options.threads)
    for number in range(options.rounds):
        for rows, length in wanted:
            for engine in rotated(engines, number):
                measured = engines[engine].latency(rows, length)
                results.add("latency", f"{name}, {rows} × {length}", engine, measured)
        options.say(f"latency of {name}: round {number + 1} of {options.rounds}")
    for engine in engines.values():
        engine.close()

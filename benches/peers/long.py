"""Long documents: classifiers of 4096 tokens with windows of 512 and one global token, beside full attention.

The numbers in the tables compare equal precision; transformers' Longformer has f32 only.
"""
import os

from engines import Lmpipe, Peer, export
from table import rotated

LENGTHS = [512, 1024, 2048, 4096]


def measure(options, models, results):
    folder = os.path.join(models.folder, "long")
    export("long", models.f32, folder)
    full, windows = os.path.join(folder, "full"), os.path.join(folder, "windows")
    engines = {
        "lmpipe f32, windows": Lmpipe(models.program, windows, options.threads),
        "lmpipe int8, windows": Lmpipe(models.program, models.quantize(windows, "windows"), options.threads),
        "lmpipe f32, full": Lmpipe(models.program, full, options.threads),
        "transformers Longformer f32": Peer("torch", windows, options.threads),
        "torch f32, full": Peer("torch", full, options.threads),
    }
    for number in range(options.rounds):
        for length in [length for _, length in options.shapes or []] or LENGTHS:
            for engine in rotated(engines, number):
                results.add("long", f"1 × {length}", engine, engines[engine].latency(1, length))
        options.say(f"long documents: round {number + 1} of {options.rounds}")
    for engine in engines.values():
        engine.close()

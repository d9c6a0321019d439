"""Abstractive summaries: a LED of led-base's shape with random weights (seed 0), a text of 4096 tokens, 4 beams, 64 new tokens.

The tokens are counted, whatever the weights say: neither may end a text before. `read` is the encoder and, in lmpipe, the projection
of its hidden states for the decoder; transformers does that in its first step, which is in `write`. lmpipe's processor time has in it
that it loads and packs the model, transformers' has not.
"""
import json
import os

from engines import Peer, export
import process
from table import rotated

TOKENS, BEAMS, NEW = 4096, 4, 64


class Lmpipe:
    def __init__(self, program, model, text, threads, more):
        wishes = ["--num-beams", BEAMS, "--min-length", NEW + 1, "--max-length", NEW + 1]
        command = [program, "summarize", model, text, "--format", "json", *more, *wishes]
        # What is written uses all threads of the pool.
        self.command = ["env", f"RAYON_NUM_THREADS={threads}", *map(str, command)]

    def measure(self):
        ended = process.run(self.command)
        found = json.loads(ended.text)
        if found["tokens"] != {"read": TOKENS, "written": NEW}:
            raise SystemExit(f"lmpipe: {found['tokens']}")
        reading, writing = found["ms"]["reading"], found["ms"]["writing"]
        return {"all": reading + writing, "read": reading, "write": writing, "cpu_ms": ended.processor * 1e3, "bytes": ended.peak_bytes}

    def close(self):
        pass


class Transformers:
    def __init__(self, model, text, threads):
        self.peer, self.text = Peer("led", model, threads), text

    def measure(self):
        return self.peer.ask(do="led", file=self.text, tokens=TOKENS, beams=BEAMS, new=NEW)

    def close(self):
        self.peer.close()


def measure(options, models, results):
    folder = os.path.join(models.folder, "led")
    export("led", models.f32, folder)
    # Each letter is a token, and two stand around the text.
    text = os.path.join(folder, "text.txt")
    with open(text, "w") as file:
        file.write("".join("abcdefghijklmnopqrstuvwxyz"[i * i % 26] for i in range(TOKENS - 2)))
    engines = {
        "lmpipe f32": Lmpipe(models.program, folder, text, options.threads, []),
        "lmpipe int8": Lmpipe(models.program, folder, text, options.threads, ["--int8"]),
        "transformers f32": Transformers(folder, text, options.threads),
    }
    for number in range(options.rounds):
        for engine in rotated(engines, number):
            found = engines[engine].measure()
            for case in ("all", "read", "write"):
                peak = {name: found[name] for name in ("cpu_ms", "bytes")} if case == "all" else {}
                results.add("led", f"{case}, {TOKENS} tokens, {BEAMS} × {NEW}", engine, {"ms": found[case], **peak})
        options.say(f"LED: round {number + 1} of {options.rounds}")
    for engine in engines.values():
        engine.close()

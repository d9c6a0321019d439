"""How often a gate on time is wrong while other work comes and goes on the machine.

    python benches/gates.py MODEL SLOWER [--times 20] [--lmpipe target/release/lmpipe]

MODEL is saved as the baseline. Then MODEL and SLOWER (a folder of a model that does more work) are judged in turns by
`{metric: speed.model.latency.b1_l64.p50_ms, vs: baseline, max_rise: 0%}`, each time with another order of rounds, while three processes of
this script are busy for random stretches of 0.6 seconds and idle for 0.8 on average. Prints each verdict, then the false alarms and the catches.
"""
import argparse
import json
import multiprocessing
import os
import random
import subprocess
import tempfile
import time

RECIPE = """\
lmpipe: 1
name: gates
vars: {{model: {model}, round: 0}}
inputs:
  model: {{model: "{{{{ model }}}}"}}
devices: {{phone: {{device: cpu, threads: 1, exclusive: true}}}}
stages:
  speed: {{uses: bench, seeds: ["{{{{ round }}}}"], in: {{models: [model]}}, device: phone, with: {{length: [64], memory: false, rounds: 5}}}}
gates:
  - {{metric: "speed@s{{{{ round }}}}.model.latency.b1_l64.p50_ms", vs: baseline, max_rise: 0%}}
"""


def busy(seed):
    draw, values = random.Random(seed), [0.0] * 400_000
    while True:
        end = time.time() + draw.expovariate(1 / 0.6)
        while time.time() < end:
            sum(values[::16])
        time.sleep(draw.expovariate(1 / 0.8))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("slower")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--lmpipe", default="target/release/lmpipe")
    arguments = parser.parse_args()
    lmpipe = os.path.abspath(arguments.lmpipe)
    models = {"the same": os.path.abspath(arguments.model), "slower": os.path.abspath(arguments.slower)}
    failed = dict.fromkeys(models, 0)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "gates.yaml"), "w", encoding="utf-8") as file:
            file.write(RECIPE.format(model=json.dumps(models["the same"])))

        def run(*words):
            return subprocess.run([lmpipe, *words], cwd=folder, capture_output=True, text=True)

        for words in (["run", "gates.yaml"], ["baseline", "save", "gates.yaml"]):
            run(*words).check_returncode()
        load = [multiprocessing.Process(target=busy, args=(seed,), daemon=True) for seed in range(3)]
        for process in load:
            process.start()
        for time_ in range(1, arguments.times + 1):
            for name, model in models.items():
                done = run("run", "gates.yaml", "--set", f"model={model}", "--set", f"round={time_}")
                if done.returncode not in (0, 3):
                    raise SystemExit(done.stderr)
                failed[name] += done.returncode == 3
                [verdict] = json.loads(run("gate", "latest", "--format", "json").stdout)["verdicts"]
                print(f"{time_:3} {name:8} {'fails' if done.returncode == 3 else 'passes'}  {verdict['text']}", flush=True)
    print(f"false alarms: {failed['the same']} of {arguments.times}; slower and caught: {failed['slower']} of {arguments.times}")


if __name__ == "__main__":
    main()

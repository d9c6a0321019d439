"""The engines that are compared: lmpipe by its command line, the peers by a worker that stays."""
import json
import os
import subprocess
import sys

import process

HERE = os.path.dirname(os.path.abspath(__file__))


class Lmpipe:
    """lmpipe on a model folder."""

    def __init__(self, program, model, threads):
        self.program, self.model, self.threads = program, model, threads

    def bench(self, *more):
        command = [self.program, "bench", self.model, "--threads", str(self.threads), "--format", "json", "--no-memory"]
        ended = process.run(command + [str(argument) for argument in more])
        metrics = {metric["name"]: metric["value"] for metric in json.loads(ended.text)["metrics"]}
        return ended, lambda suffix: next((value for name, value in metrics.items() if name.endswith(suffix)), None)

    def latency(self, rows, length):
        shape = ["--batch", rows, "--length", length]
        _, value = self.bench(*shape, "--rounds", 5)
        # Processor time is counted in steps of 10 ms: a second and a half is good to a per cent.
        calls = max(10, min(1000, round(1500 / value(".p50_ms"))))
        _, value = self.bench(*shape, "--rounds", calls)
        return {"ms": value(".p50_ms"), "cpu_ms": value(".cpu_ms")}

    def rows(self, texts, max_length, batch):
        asked = ["--data", texts, "--max-length", max_length, "--rows-batch", batch, "--rows-rounds", 1]
        _, value = self.bench(*asked, "--length", 8, "--rounds", 3)
        return {"ms": value(".rows.ms_per_row"), "cpu_ms": value(".rows.cpu_ms_per_row")}

    def memory(self, calls):
        ended, _ = self.bench("--batch", 1, "--length", 128, "--rounds", calls)
        return {"bytes": ended.peak_bytes}

    def close(self):
        pass


class Peer:
    """A worker, which loads its model once and answers until it is closed."""

    def __init__(self, engine, model, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-W", "ignore", os.path.join(HERE, "worker.py"), engine, model, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )

    def ask(self, **question):
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(self.process.args)} ended without an answer to {question}")
        return json.loads(answer)

    def latency(self, rows, length):
        return self.ask(do="latency", rows=rows, length=length)

    def rows(self, ids, batch, by_length):
        return self.ask(do="rows", file=ids, batch=batch, by_length=by_length)

    def memory(self, calls):
        return self.ask(do="memory", calls=calls)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Models:
    """One encoder in every form that an engine reads, made when it is first asked for."""

    def __init__(self, program, model, folder):
        self.program, self.f32, self.folder = program, os.path.abspath(model), folder
        os.makedirs(folder, exist_ok=True)
        self.int8 = None

    def make(self):
        if self.int8:
            return
        export("graph", self.f32, self.folder)
        self.int8 = self.quantize(self.f32, "peers")

    def titles(self):
        return [f"{name} {form}" for form in ("f32", "int8") for name in ("lmpipe", "ONNX Runtime", "torch")]

    def engine(self, title, threads):
        self.make()
        name, form = title.rsplit(" ", 1)
        if name == "lmpipe":
            return Lmpipe(self.program, getattr(self, form), threads)
        if name == "torch":
            return Peer("torch" if form == "f32" else "torch int8", self.f32, threads)
        return Peer("onnxruntime", os.path.join(self.folder, f"{form}.onnx"), threads)

    def quantize(self, model, name):
        recipe, store = os.path.join(self.folder, f"{name}.yaml"), os.path.join(self.folder, "store")
        with open(recipe, "w") as file:
            file.write(f"lmpipe: 1\nname: {name}\ninputs: {{f32: {{model: {json.dumps(model)}}}}}\n")
            file.write("stages: {int8: {uses: quantize, in: f32, with: {embeddings: true}}}\n")
        process.run([self.program, "run", recipe, "--store", store, "--quiet"])
        return process.run([self.program, "cache", "path", name, "int8", "--store", store]).text.strip()

    def lmpipe(self, threads):
        return {title: self.engine(title, threads) for title in ("lmpipe f32", "lmpipe int8")}

    def all(self, threads):
        return {title: self.engine(title, threads) for title in self.titles()}


def export(what, model, folder):
    os.makedirs(folder, exist_ok=True)
    process.run([sys.executable, "-W", "ignore", os.path.join(HERE, "export.py"), what, model, folder])

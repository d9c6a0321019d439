"""lmpipe's data stages beside their peers on the same rows, in interleaved rounds; README.md says what is measured.

    pip install -r benches/peers/text-requirements.txt
    pip install --no-deps textaugment==3.0.0 text-dedup==0.4.0
    cargo build --release
    python benches/peers/text.py target/release/lmpipe [--rounds 3] [--only words,eda] [--json FILE]
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

import nltk_data
import process
import text_lmpipe
import text_rows
from table import Results, rotated

HERE = os.path.dirname(os.path.abspath(__file__))
LMPIPE, STAGE = "lmpipe", "lmpipe, its stage alone"
# The peers of each part: what the worker calls them, what they are told, and the share of lmpipe's rows that they get.
PEERS = {
    "words": {
        "NLTK: `word_tokenize`": ("nltk", {}, 1 / 50),
        "fastnltk: `word_tokenize`": ("fastnltk", {}, 1 / 20),
        "Python: `split`, NLTK's list": ("python", {}, 1 / 10),
        "datasets: `map` of the same": ("datasets", {}, 1 / 5),
        "polars: regex": ("polars", {"by": "regex"}, 1),
        "polars: lists": ("polars", {"by": "lists"}, 1),
    },
    "eda": {"nlpaug": ("nlpaug", {}, 1 / 100), "textaugment": ("textaugment", {}, 1 / 100)},
    "fill": {"nlpaug": ("nlpaug", {"threads": 1}, 1 / 20)},
    "minhash": {"datasketch": ("datasketch", {}, 1), "rensa": ("rensa", {}, 1), "text-dedup": ("text-dedup", {}, 1)},
}
TITLES = {"words": "words", "eda": "EDA", "fill": "filled masks", "minhash": "near-duplicates"}
# Rows that lmpipe gets, by part.
SIZES = {"words": 1_000_000, "eda": 200_000, "fill": 4_000, "minhash": 50_000}


class TextResults(Results):
    """Times by row, since not every engine gets as many."""

    UNITS = {
        "us": ("wall µs a row", 1, 2),
        "cpu_us": ("CPU µs a row", 1, 2),
        "seconds": ("wall s", 1, 2),
        "cpu_seconds": ("CPU s", 1, 2),
        "bytes": ("peak MB", 1e6, 1),
    }

    def reference(self, part, case, engine):
        return self.found.get((part, case, LMPIPE), {})


class Bench:
    """What all parts share: options, the program, rows, results, and what came out of the engines."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.lmpipe = text_lmpipe.Lmpipe(options.lmpipe, folder)
        self.rows = text_rows.Rows(folder)
        self.cores = sorted(os.sched_getaffinity(0))
        self.results, self.outputs = TextResults(len(self.cores)), []
        self.nltk = None

    def size(self, part):
        return max(10, round(SIZES[part] * self.options.scale))

    def file(self, part, count):
        return self.rows.near(count) if part == "minhash" else self.rows.repeated(count)

    def compare(self, part):
        """Rounds in which lmpipe and each peer of a part have their turn, and what became of the rows in the first of them."""
        self.nltk = self.nltk or nltk_data.make(self.options.data or os.path.join(self.folder, "nltk"))
        size = self.size(part)
        case = f"{size:,} rows"
        engines = {LMPIPE: lambda: self.ran(part, size), STAGE: lambda: self.staged(part, size)}
        for title, (name, settings, share) in PEERS[part].items():
            count = max(10, round(size * share))
            told = title if count == size else f"{title} ({count:,} rows)"
            engines[told] = lambda name=name, settings=settings, count=count: self.peer(part, name, settings, count)
        outputs = {}
        for number in range(self.options.rounds):
            for title in rotated(engines, number):
                measured, table = engines[title]()
                self.results.add(part, case, title, measured)
                if table is not None:
                    outputs.setdefault(title, table)
            self.options.say(f"{part}: round {number + 1} of {self.options.rounds}")
        self.results.show(part)
        self.tell(part, outputs, size)

    def ran(self, part, count):
        run = self.lmpipe.measure(part, self.file(part, count))
        measured = {
            "us": run.ended.seconds * 1e6 / count,
            "cpu_us": run.ended.processor * 1e6 / count,
            "bytes": run.ended.tree_bytes,
        }
        return measured, text_lmpipe.table(run.output)

    def staged(self, part, count):
        run = self.lmpipe.measure(part, self.file(part, count), only_stage=True)
        return {"us": run.stage * 1e6 / count, "cpu_us": run.ended.processor * 1e6 / count, "bytes": run.ended.tree_bytes}, None

    def peer(self, part, name, settings, count):
        import pyarrow

        scratch, out = os.path.join(self.folder, "scratch"), os.path.join(self.folder, "out.arrow")
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch)
        settings = {**settings, "scratch": scratch, "cores": len(self.cores), "model": self.lmpipe.model}
        # Nothing may come from a hub.
        environment = ["env", f"NLTK_DATA={self.nltk}", "HF_HUB_OFFLINE=1", "TOKENIZERS_PARALLELISM=false", f"HF_HOME={scratch}"]
        worker = [sys.executable, "-W", "ignore", os.path.join(HERE, "text_worker.py"), f"{part}/{name}"]
        ended = process.run([*environment, *worker, self.file(part, count), out, json.dumps(settings)])
        found = json.loads(ended.text.strip().splitlines()[-1])
        with pyarrow.OSFile(out, "rb") as file:
            table = pyarrow.ipc.open_file(file).read_all()
        measured = {"us": found["seconds"] * 1e6 / count, "cpu_us": found["processor"] * 1e6 / count, "bytes": ended.tree_bytes}
        return measured, table

    def tell(self, part, outputs, size):
        lines = {"words": self.differences, "minhash": self.found}.get(part, self.changes)(outputs, size)
        self.outputs += [{"part": part, **line} for line in lines]
        shown = [{key: value for key, value in line.items() if key != "examples"} for line in lines]
        print("\n| " + " | ".join(shown[0]) + " |\n|---|" + "--:|" * (len(shown[0]) - 1))
        for line in shown:
            print("| " + " | ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in line.values()) + " |")
        for line in lines:
            for text, ours, theirs in line.get("examples", []):
                print(f"\n{line['engine']}:\n\n    row     {text}\n    lmpipe  {ours}\n    peer    {theirs}")
        print(flush=True)

    def differences(self, outputs, _):
        """Texts that are not lmpipe's, among the reviews once."""
        ours, lines = outputs[LMPIPE]["text"].to_pylist(), []
        for engine, table in outputs.items():
            theirs = table["text"].to_pylist()[: len(self.rows.reviews)]
            other = [row for row, text in enumerate(theirs) if text != ours[row]]
            examples = [(self.rows.reviews[row], ours[row], theirs[row]) for row in other[: self.options.examples]]
            lines.append({"engine": engine, "rows compared": len(theirs), "other than lmpipe's": len(other), "examples": examples})
        return lines

    def changes(self, outputs, _):
        """What chance did cannot be compared row by row; how much it did can."""
        lines = []
        for engine, table in outputs.items():
            made = table.filter(table["parent"].is_valid()) if engine == LMPIPE else table
            numbers = list(map(int, made["parent"].to_pylist())) if engine == LMPIPE else range(len(made))
            texts = made["text"].to_pylist()[: len(self.rows.reviews)]
            pairs = [(self.rows.reviews[row % len(self.rows.reviews)], text) for row, text in zip(numbers, texts)]
            changed = sum(old.lower().split() != new.lower().split() for old, new in pairs)
            share = sum(unlike(old, new) for old, new in pairs) / max(1, len(pairs))
            lines.append({
                "engine": engine, "copies looked at": len(pairs), "that changed": changed, "words that are not the row's": f"{share:.1%}",
            })
        return lines

    def found(self, outputs, size):
        """Rows that went, and pairs of which one went, of those whose similarity was counted."""
        copies, alike = self.rows.near_texts(size)[1], self.rows.alike(size, 0.8)
        lines, ours = [], self.gone(outputs[LMPIPE], size)
        for engine, table in outputs.items():
            gone = self.gone(table, size)
            pairs = sum(row in gone or copies[row] in gone for row in alike)
            lines.append({
                "engine": engine, "rows that went": len(gone), "also in lmpipe": len(gone & ours),
                "pairs at 0.8 or more that it found": f"{pairs:,} of {len(alike):,}",
            })
        return lines

    @staticmethod
    def gone(table, size):
        return set(range(size)) - set(map(int, table["id"].to_pylist()))

    def words(self):
        self.compare("words")

    def eda(self):
        self.compare("eda")

    def fill(self):
        self.lmpipe.fetch_model(self.options.model)
        self.compare("fill")

    def minhash(self):
        self.compare("minhash")

    def memory(self):
        """The most that lmpipe holds while it reads, changes and writes an input that is larger than the memory it may have."""
        size = self.options.gb * 1e9
        for form in self.options.formats:
            free = shutil.disk_usage(self.folder).free
            # The files, the rows as they were read, and what the stage makes of them.
            if free < 3.2 * size:
                raise SystemExit(f"memory: {self.folder} has {free / 1e9:.0f} GB free; {self.options.gb:g} GB of text need {3.2 * size / 1e9:.0f}")
            folder = os.path.join(self.folder, "large")
            files, count = text_rows.large(folder, size, form)
            self.options.say(f"memory: {count:,} rows of {form} are written")
            for part in self.options.stages:
                run = self.lmpipe.measure(part, files)
                measured = {"seconds": run.ended.seconds, "cpu_seconds": run.ended.processor, "bytes": run.ended.tree_bytes}
                self.results.add("memory", f"{TITLES[part]}, {self.options.gb:g} GB of text in 8 files of {form}, {count:,} rows", LMPIPE, measured)
                self.lmpipe.clear()
                self.options.say(f"memory: {part} of {form} is done")
            shutil.rmtree(folder)
        self.results.show("memory")

    def cores_(self):
        """The same run on one core and on all: here `×` is the speed-up."""
        for part in ("words", "eda", "minhash"):
            rows = self.file(part, self.size(part))
            engines = {LMPIPE: None, f"{LMPIPE}, one core": self.cores[0]}
            for number in range(self.options.rounds):
                for title in rotated(engines, number):
                    whole, stage = (self.lmpipe.measure(part, rows, only, engines[title]) for only in (False, True))
                    case = f"{TITLES[part]}, {self.size(part):,} rows"
                    self.results.add("cores", f"{case}, the run", title, {"seconds": whole.ended.seconds, "cpu_seconds": whole.ended.processor})
                    self.results.add("cores", f"{case}, the stage", title, {"seconds": stage.stage})
            self.options.say(f"cores: {part} is done")
        self.results.show("cores")


PARTS = {
    "words": Bench.words,
    "eda": Bench.eda,
    "fill": Bench.fill,
    "minhash": Bench.minhash,
    "memory": Bench.memory,
    "cores": Bench.cores_,
}


def unlike(old, new):
    """The share of the words of a text that are not, or not as often, in the text that it was made of."""
    left, other = old.lower().split(), 0
    words = new.lower().split()
    for word in words:
        if word in left:
            left.remove(word)
        else:
            other += 1
    return other / max(1, len(words))


def options():
    def names(known):
        def chosen(text):
            found = text.split(",")
            strange = [name for name in found if name not in known]
            if strange:
                raise argparse.ArgumentTypeError(f"nothing is called {', '.join(strange)}; there are {', '.join(known)}")
            return found

        return chosen

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lmpipe", help="the program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=names(PARTS), default=list(PARTS), help="the parts, separated by commas (default: all)")
    parser.add_argument("--json", help="a file for every round of every engine")
    parser.add_argument("--scale", type=float, default=1, help="a share of the rows, to try it: 0.01")
    parser.add_argument("--gb", type=float, default=10, help="the text of the large input, in GB")
    parser.add_argument("--formats", type=names(["jsonl", "csv", "parquet"]), default=["jsonl"], help="of the large input: jsonl,csv,parquet")
    parser.add_argument("--stages", type=names(["words", "eda", "minhash"]), default=["words"], help="what is done to the large input")
    parser.add_argument("--model", default=text_lmpipe.MODEL, help="the encoder with a head of a masked language model")
    parser.add_argument("--dir", help="where everything is made, and removed again (default: the system's folder for such)")
    parser.add_argument("--data", help="a folder for NLTK's data that stays (default: one that goes)")
    parser.add_argument("--examples", type=int, default=2, help="rows that came out otherwise, shown for each engine")
    found = parser.parse_args()
    if not os.path.exists(found.lmpipe):
        parser.error(f"there is no {found.lmpipe}")
    found.say = lambda text: print(text, file=sys.stderr, flush=True)
    return found


def main():
    found = options()
    with tempfile.TemporaryDirectory(dir=found.dir) as folder:
        bench = Bench(found, folder)
        cores = len(bench.cores)
        print(f"{cores} core(s), {found.rounds} rounds; medians, ranges of the rounds, and × of lmpipe's run (above 1: lmpipe is better)")
        for part, measure in PARTS.items():
            if part not in found.only:
                continue
            measure(bench)
            # After every part: a run that fails in its last part keeps the others.
            if found.json:
                with open(found.json, "w") as file:
                    json.dump({"rows": list(bench.results.rows()), "outputs": bench.outputs}, file, indent=1)


if __name__ == "__main__":
    main()

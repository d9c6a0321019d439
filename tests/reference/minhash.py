"""Near-duplicates of datasets by three ways: all texts compared with all, datasketch's MinHashLSH, and lmpipe's `deduplicate`.

    pip install datasketch pyarrow scipy
    python tests/reference/minhash.py datasets/movie-reviews.parquet datasets/rfc.parquet [--lmpipe target/release/lmpipe] \
        [--golden tests/data/rows]

For each dataset: the pairs from 0.8 that each way finds, which of them another misses, and the rows a second of datasketch. The datasets
have hardly any near-duplicates, so that a third table is made of some rows of the first: each with copies in which words are replaced,
swapped and left out. `--golden` writes this table and, of all, the pairs from 0.5 that the full comparison finds, for
src/stages/dataset/tests/rows.rs. Exits with 1 when lmpipe misses a pair from 0.85, or finds one below 0.6.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import datasketch
import numpy
import pyarrow
import pyarrow.parquet
import scipy.sparse

THRESHOLD, PERMUTATIONS, WORDS = 0.8, 128, 3
# Near to the words of Unicode: letters and digits, with what stands between two of them in `don't`, `e.g` and `1,000`.
WORD = re.compile(r"[^\W_]+(?:(?:_|['.](?=[^\W_])|(?<=\d)[,;](?=\d)|(?<=[^\W\d_]):(?=[^\W\d_]))+[^\W_]+)*")


def shingles(text):
    words = WORD.findall(text.lower().replace("’", "'"))
    parts = [" ".join(words[at : at + WORDS]) for at in range(max(len(words) - WORDS + 1, 1))]
    return set(parts) if words else set()


def compared(sets, least):
    """Every pair of at least this similarity, by the product of the matrix of rows and shingles with itself."""
    numbers = {}
    rows, columns = [], []
    for row, parts in enumerate(sets):
        for part in parts:
            rows.append(row)
            columns.append(numbers.setdefault(part, len(numbers)))
    shape = (len(sets), len(numbers))
    matrix = scipy.sparse.csr_matrix((numpy.ones(len(rows), numpy.int32), (rows, columns)), shape=shape)
    sizes = numpy.asarray(matrix.sum(1)).ravel()
    pairs = {}
    for start in range(0, len(sets), 1000):
        common = (matrix[start : start + 1000] @ matrix.T).tocoo()
        ones, others = common.row + start, common.col
        similarity = common.data / (sizes[ones] + sizes[others] - common.data)
        for at in numpy.nonzero((similarity >= least) & (ones < others))[0]:
            pairs[int(ones[at]), int(others[at])] = float(similarity[at])
    return pairs


def sketched(texts):
    began = time.process_time()
    lsh = datasketch.MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    sketches, pairs = [], set()
    for row, text in enumerate(texts):
        sketch = datasketch.MinHash(num_perm=PERMUTATIONS)
        parts = shingles(text)
        sketch.update_batch([part.encode() for part in parts])
        sketches.append(sketch)
        if parts:
            pairs.update((other, row) for other in lsh.query(sketch) if sketch.jaccard(sketches[other]) >= THRESHOLD)
            lsh.insert(row, sketch)
    return pairs, len(texts) / (time.process_time() - began), (lsh.b, lsh.r)


def clusters(pairs):
    first = {}

    def root(row):
        while first.get(row, row) != row:
            row = first[row]
        return row

    for one, other in sorted(pairs):
        one, other = sorted((root(one), root(other)))
        first[other] = one
    return root


def planted(table):
    draw, rows = random.Random(7), []
    words = sorted({word for row in table for word in row["text"].split() if word.isalpha()})
    for row in table[::60]:
        rows.append(row | {"split": "train"})
        for copy, split in enumerate(("train", "validation", "test")):
            text = row["text"].split()
            for _ in range(draw.randrange(4)):
                at = draw.randrange(len(text))
                edit = draw.randrange(3)
                if edit == 0:
                    text[at] = draw.choice(words)
                elif edit == 1:
                    text[at], text[-1] = text[-1], text[at]
                elif len(text) > 5:
                    del text[at]
            rows.append(row | {"id": f"{row['id']}-{copy}", "text": " ".join(text), "split": split})
    return rows


def deduplicated(lmpipe, file):
    with tempfile.TemporaryDirectory() as folder:
        recipe = {
            "lmpipe": 1, "name": "near",
            "inputs": {"data": {"dataset": str(pathlib.Path(file).resolve()), "label": "label", "id": "id", "split": "split"}},
            "stages": {"found": {"uses": "deduplicate", "in": "data", "with": {"across": "tell", "within": "tell"}}},
        }
        path = pathlib.Path(folder, "near.yaml")
        path.write_text(json.dumps(recipe))
        command = [lmpipe, "run", str(path), "--store", f"{folder}/store", "--reports", f"{folder}/reports"]
        told = subprocess.run(command, capture_output=True, text=True)
        if told.returncode:
            sys.exit(told.stderr)
        (receipts,) = pathlib.Path(folder, "store").rglob("duplicates.jsonl")
        return [json.loads(line) for line in receipts.read_text().splitlines()], told.stderr


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("datasets", nargs="+")
parser.add_argument("--lmpipe")
parser.add_argument("--golden")
given = parser.parse_args()

tables = {}
for file in given.datasets:
    table = pyarrow.parquet.read_table(file, columns=["id", "text", "label", "split"]).to_pylist()
    tables[pathlib.Path(file).stem] = table, file
folder = pathlib.Path(given.golden or tempfile.mkdtemp())
rows = planted(next(iter(tables.values()))[0])
lines = [json.dumps(row, ensure_ascii=False) for row in rows]
(folder / "planted.jsonl").write_text("\n".join(lines) + "\n")
tables["planted"] = rows, folder / "planted.jsonl"

golden, wrong = {}, 0
for name, (table, file) in tables.items():
    order = ["train", "validation", "test"]
    table.sort(key=lambda row: order.index(row["split"]))
    ids = [row["id"] for row in table]
    exact = compared([shingles(row["text"]) for row in table], 0.5)
    golden[name] = [[ids[one], ids[other], round(similarity, 4)] for (one, other), similarity in sorted(exact.items())]
    near = {pair for pair, similarity in exact.items() if similarity >= THRESHOLD}
    texts = [row["text"] for row in table]
    pairs, speed, (bands, rows) = sketched(texts)
    print(f"{name}: {len(table)} rows, {len(exact)} pairs from 0.5, {len(near)} from {THRESHOLD}")
    print(f"  datasketch ({bands} bands of {rows}): {len(pairs)} pairs, of which {len(pairs - near)} are below; "
          f"{len(near - pairs)} missed; {speed:,.0f} rows a second of processor time")
    if given.lmpipe:
        receipts, _ = deduplicated(given.lmpipe, file)
        places = {row: at for at, row in enumerate(ids)}
        found = {tuple(sorted((places[line["id"]], places[line["kept"]]))) for line in receipts}
        ours, theirs, all_near = clusters(found), clusters(pairs), clusters(near)
        missed = [pair for pair in near if ours(pair[0]) != ours(pair[1])]
        also = [pair for pair in pairs if ours(pair[0]) != ours(pair[1])]
        beyond = [pair for pair in found if all_near(pair[0]) != all_near(pair[1])]
        far = [pair for pair in found if exact.get(pair, 0) < 0.6 and all_near(pair[0]) != all_near(pair[1])]
        lost = [pair for pair in missed if exact[pair] >= 0.85]
        print(f"  lmpipe: {len(found)} pairs; misses {len(missed)} of the full comparison and {len(also)} of datasketch; "
              f"{len(beyond)} that the full comparison does not have")
        for pair in missed + beyond:
            print("   ", ids[pair[0]], ids[pair[1]], exact.get(pair), "missed" if pair in missed else "beyond")
        wrong += len(lost) + len(far)
if given.golden:
    lines = [f'  "{name}": [\n' + ",\n".join(f"    {json.dumps(pair)}" for pair in pairs) + "\n  ]" for name, pairs in golden.items()]
    (folder / "near_duplicates.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
sys.exit(wrong > 0)

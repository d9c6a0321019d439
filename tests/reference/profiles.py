"""What is in the datasets of this repository, counted by Python: writes tests/data/profile.json.

    pip install pyarrow numpy uniseg
    python tests/reference/profiles.py

Words are those of uniseg's word boundaries (UAX #29) that have a letter or a digit, of the NFKC form of a text. Texts are the same
whose words are, in small letters, with a straight apostrophe. Quantiles are numpy's. The tests of `src/profile` read the file.
"""
import collections
import json
import pathlib
import unicodedata

import numpy
import pyarrow.parquet
import uniseg.wordbreak

ROOT = pathlib.Path(__file__).parents[2]
SPLITS = ["train", "validation", "test"]
EDGES = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100]
EDGES += [edge * 10**power for power in range(6) for edge in (125, 160, 200, 250, 315, 400, 500, 630, 800, 1000)]


def words(text):
    pieces = uniseg.wordbreak.words(unicodedata.normalize("NFKC", text))
    return [piece.lower().replace("\u2019", "'") for piece in pieces if any(c.isalnum() for c in piece)]


def lengths(values):
    values = numpy.array(values)
    counts, _ = numpy.histogram(values, bins=EDGES)
    bins = [{"from": low, "to": high, "rows": int(rows)} for low, high, rows in zip(EDGES, EDGES[1:], counts)]
    there = [place for place, bin in enumerate(bins) if bin["rows"]]
    quantiles = {f"p{share}": float(numpy.percentile(values, share)) for share in (25, 50, 75, 95, 99)}
    return {
        "rows": len(values), "min": int(values.min()), "max": int(values.max()), "mean": float(values.mean()),
        **quantiles, "bins": bins[there[0]:there[-1] + 1],
    }


def of(table):
    parts = {split: [row for row in table if row["split"] == split] for split in SPLITS}
    found = {split: [words(row["text"]) for row in rows] for split, rows in parts.items()}
    forms = {split: [" ".join(words) for words in texts] for split, texts in found.items()}
    profiles = {}
    for place, split in enumerate(SPLITS):
        rows, own = parts[split], forms[split]
        vocabulary = collections.Counter(word for text in found[split] for word in text)
        labels = collections.Counter(row["label"] for row in rows)
        before = {form for other in SPLITS[:place] for form in forms[other]}
        shared = [[other, sum(form in set_ for form in own)] for other in SPLITS if other != split for set_ in [set(forms[other])]]
        profiles[split] = {
            "rows": len(rows),
            "characters": lengths([len(row["text"]) for row in rows]),
            "words": lengths([len(text) for text in found[split]]),
            "labels": [{"label": label, "rows": labels[label]} for label in sorted(labels)],
            "repeats": {
                "compared": len(rows), "duplicates": len(own) - len(set(own)),
                "leaks": sum(form in before for form in own), "shared": shared,
            },
            "vocabulary": {
                "words": vocabulary.total(), "distinct": len(vocabulary),
                "once": sum(count == 1 for count in vocabulary.values()),
                "type_token_ratio": len(vocabulary) / vocabulary.total(), "uncounted": 0,
            },
            "odd": {
                "empty": sum(not row["text"].strip() for row in rows),
                "replacement": sum("\ufffd" in row["text"] for row in rows),
                "control": sum(any(unicodedata.category(c) == "Cc" and c not in "\t\n\r\x85" for c in row["text"]) for row in rows),
                "nul": sum("\0" in row["text"] for row in rows),
            },
        }
    return profiles


golden = {}
for name in ["movie-reviews.parquet", "wiki-topics.parquet"]:
    golden[name] = of(pyarrow.parquet.read_table(ROOT / "datasets" / name).to_pylist())
path = ROOT / "tests" / "data" / "profile.json"
path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
print(f"wrote {path.relative_to(ROOT)}")

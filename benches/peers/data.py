"""Real rows: the splits of the repository's datasets, as texts for lmpipe and as ids for the peers."""
import json
import os

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The tokens that a row is cut to.
DATASETS = {"movie-reviews": 128, "wiki-topics": 256}


def rows(name, split, limit=None):
    """The rows of a split, in file order."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(os.path.join(REPOSITORY, "datasets", f"{name}.parquet"))
    found = [row for row in table.select(["text", "label", "split"]).to_pylist() if row["split"] == split]
    return found[:limit]


def encode(model, texts, max_length):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def test_files(model, folder, name, limit=None):
    """Writes the test split as JSON lines (lmpipe tokenises them) and as ids; gives both paths."""
    texts = [row["text"] for row in rows(name, "test", limit)]
    lines, ids = os.path.join(folder, f"{name}.jsonl"), os.path.join(folder, f"{name}.ids.json")
    with open(lines, "w") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    with open(ids, "w") as file:
        json.dump(encode(model, texts, DATASETS[name]), file)
    return lines, ids

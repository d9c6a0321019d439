"""Runs GGUF files that lmpipe wrote in llama.cpp. Not part of CI.

    pip install xllamacpp gguf tokenizers pyarrow torch transformers
    lmpipe export MODEL --to gguf -o FILE.gguf
    python tests/reference/gguf_check.py FILE.gguf MODEL datasets/movie-reviews.parquet [--rows 200] [--lmpipe target/release/lmpipe]

Compares the ids of tokens with those of the folder's tokenizer, on rows of the test split and on the odd texts of
`tests/data/tokenizers`; then the logits of a classifier with `lmpipe predict`, or the embeddings of an encoder with what
transformers makes of it by the file's pooling. Rows are cut after `--words` words, so that no model gets too many tokens.

It exits with 1 when a row of the test split has other tokens, an embedding's cosine is below 0.998, or fewer than 98 % of the
labels are the same. It ran with xllamacpp 2026.10.11549, gguf 0.19.0, tokenizers 0.22.2 and transformers 4.57.6; MODEL needs a
`tokenizer.json`.
"""
import argparse
import json
import os
import subprocess
import sys
import urllib.request

import gguf
import numpy as np
import pyarrow.parquet as pq
import xllamacpp
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
POOLINGS = {1: "mean", 2: "cls", 3: "last", 4: "rank"}


def serve(path):
    """llama.cpp's server, which pools as the file says and normalises nothing."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.embedding = True
    parameters.embd_normalize = -1
    parameters.n_parallel = 1
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 512
    parameters.warmup = False
    parameters.verbosity = 0
    return xllamacpp.Server(parameters)


def post(server, where, body):
    request = urllib.request.Request(server.listening_address + where, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def ids(server, text):
    return post(server, "/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]


def embeddings(server, texts, width):
    found = [post(server, "/v1/embeddings", {"input": text})["data"][0]["embedding"][:width] for text in texts]
    return np.array(found, dtype=np.float64)


def states(model, texts, pooling):
    import torch
    from transformers import AutoModel

    encoder, tokenizer = AutoModel.from_pretrained(model).eval(), Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_padding(), tokenizer.no_truncation()
    rows = []
    with torch.no_grad():
        for text in texts:
            hidden = encoder(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0].double()
            rows.append({"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling].numpy())
    return np.array(rows)


def predictions(lmpipe, model, texts, labels):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    command = [lmpipe, "predict", model, "-", "--max-length", "512"]
    rows = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    return np.array([[json.loads(row)["logits"][label] for label in labels] for row in rows])


parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("model")
parser.add_argument("data")
parser.add_argument("--rows", type=int, default=200)
parser.add_argument("--words", type=int, default=80)
parser.add_argument("--lmpipe", default="target/release/lmpipe")
arguments = parser.parse_args()

fields = gguf.GGUFReader(arguments.file).fields
pooling = POOLINGS[fields["bert.pooling_type"].contents()]
texts = [row["text"] for row in pq.read_table(arguments.data).to_pylist() if row["split"] == "test"][: arguments.rows]
texts = [" ".join(text.split()[: arguments.words]) for text in texts]
with open(os.path.join(HERE, "../data/tokenizers/expected.json"), encoding="utf-8") as file:
    odd = [text for text in json.load(file)["texts"] if text]
server = serve(arguments.file)
failed = False

tokenizer = Tokenizer.from_file(os.path.join(arguments.model, "tokenizer.json"))
tokenizer.no_padding(), tokenizer.no_truncation()
for name, some in (("rows", texts), ("odd texts", odd)):
    others = [text for text in some if ids(server, text) != tokenizer.encode(text).ids]
    print(f"tokens: {len(some) - len(others)} of {len(some)} {name} have the same")
    for text in others:
        print(f"    {text[:40]!r}: llama.cpp {ids(server, text)[:12]}, the tokenizer {tokenizer.encode(text).ids[:12]}")
    failed |= name == "rows" and len(others) > 0

if pooling == "rank":
    labels = fields["bert.classifier.output_labels"].contents()
    expected = predictions(arguments.lmpipe, arguments.model, texts, labels)
    found = embeddings(server, texts, len(labels))
    same = (found.argmax(-1) == expected.argmax(-1)).mean()
    print(f"labels: {100 * same:.1f} % of {len(texts)} are the same")
    failed |= same < 0.98
else:
    expected = states(arguments.model, texts, pooling)
    found = embeddings(server, texts, expected.shape[1])
    cosines = (expected * found).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    print(f"pooling `{pooling}`: cosines from {cosines.min():.6f}, {cosines.mean():.6f} on average")
    failed |= cosines.min() < 0.998
deviation = np.linalg.norm(found - expected) / np.linalg.norm(expected)
print(f"differences: {100 * deviation:.3f} % of the size, at most {np.abs(found - expected).max():.1e} of {np.abs(expected).max():.1e}")
sys.exit(int(failed))

"""Runs ONNX files that lmpipe wrote in onnxruntime.

    pip install onnxruntime
    python tests/reference/onnx_check.py arrays CASES.json
    pip install onnxruntime tokenizers pyarrow
    python tests/reference/onnx_check.py rows FOLDER MODEL datasets/movie-reviews.parquet [--rows 500] [--lmpipe target/release/lmpipe]

`arrays` reads a list of `{"file", "inputs": {name: [[…]]}, "expected": {"shape": […], "values": […], "seen": [[0 or 1]]}}` and prints, a
JSON line a case, the operations of the optimised graph, the largest difference of a number and the share of equal largest ones;
`seen` says which tokens are no padding, where the output has tokens.

`rows` compares the labels and logits of `FOLDER/model.onnx` with `lmpipe predict MODEL` on rows of the test split, alone and in
padded batches of 16, and prints the fused operations; it exits with 1 when fewer than 99 % of the labels agree, or when an f32
model's logits differ by more than 1e-4.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime as ort


def session(path):
    """The session, and how often each operation is in the graph that onnxruntime made of the file."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = os.path.join(folder, "optimised.onnx")
        found = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        with open(options.optimized_model_filepath, "rb") as file:
            graph = next(fields(memoryview(file.read()), 7))
    nodes = (bytes(next(fields(node, 4))).decode() for node in fields(graph, 1))
    return found, dict(sorted(collections.Counter(nodes).items()))


def fields(message, wanted):
    """The values of a length-delimited field of a protobuf message: enough to find `ModelProto.graph` (7), `GraphProto.node` (1)
    and `NodeProto.op_type` (4) without the package `onnx`."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
        elif kind == 2:
            length = varint()
            if tag >> 3 == wanted:
                yield message[at : at + length]
            at += length
        else:
            at += {1: 8, 5: 4}[kind]


def arrays(path):
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    for case in cases:
        found, counts = session(case["file"])
        feed = {name: np.array(rows, dtype=np.int64) for name, rows in case["inputs"].items()}
        [output] = found.run(None, feed)
        expected = np.array(case["expected"]["values"], dtype=np.float32).reshape(case["expected"]["shape"])
        if output.shape != expected.shape:
            print(json.dumps({"file": case["file"], "shape": output.shape}))
            continue
        if output.ndim == 3:
            seen = np.array(case["expected"]["seen"], dtype=bool)
            output, expected = output[seen], expected[seen]
        print(json.dumps({
            "file": case["file"],
            "operations": counts,
            "difference": float(np.abs(output - expected).max()),
            "largest": float(np.abs(expected).max()),
            "same": float((output.argmax(-1) == expected.argmax(-1)).mean()),
        }))


def rows(arguments):
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    texts = [row["text"] for row in pq.read_table(arguments.data).to_pylist() if row["split"] == "test"][: arguments.rows]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    command = [arguments.lmpipe, "predict", arguments.model, "-", "--max-length", str(arguments.max_length)]
    ours = [json.loads(line) for line in subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()]
    found, counts = session(os.path.join(arguments.folder, "model.onnx"))
    print("operations:", counts)
    metadata = found.get_modelmeta().custom_metadata_map
    print("metadata:", metadata)
    labels = json.loads(metadata["labels"])
    expected = np.array([[row["logits"][label] for label in labels] for row in ours], dtype=np.float32)
    tokenizer = Tokenizer.from_file(os.path.join(arguments.folder, "tokenizer.json"))
    tokenizer.enable_truncation(arguments.max_length)
    names = {node.name for node in found.get_inputs()}
    failed = False
    for size in (1, 16):
        logits = []
        for start in range(0, len(texts), size):
            tokenizer.enable_padding() if size > 1 else tokenizer.no_padding()
            batch = tokenizer.encode_batch(texts[start : start + size])
            feed = {
                "input_ids": [row.ids for row in batch],
                "attention_mask": [row.attention_mask for row in batch],
                "token_type_ids": [row.type_ids for row in batch],
            }
            feed = {name: np.array(rows, dtype=np.int64) for name, rows in feed.items() if name in names}
            logits.append(found.run(None, feed)[0])
        logits = np.concatenate(logits)
        same = (logits.argmax(-1) == expected.argmax(-1)).mean()
        worst = np.abs(logits - expected).max()
        print(f"batch {size}: {100 * same:.1f} % of {len(texts)} labels are the same; logits differ by at most {worst:.2e} of {np.abs(expected).max():.2f}")
        int8 = any("Integer" in name or "Quantize" in name for name in counts)
        failed |= same < 0.99 or (not int8 and worst > 1e-4)
    sys.exit(int(failed))


parser = argparse.ArgumentParser()
commands = parser.add_subparsers(dest="command", required=True)
command = commands.add_parser("arrays")
command.add_argument("cases")
command = commands.add_parser("rows")
command.add_argument("folder")
command.add_argument("model")
command.add_argument("data")
command.add_argument("--rows", type=int, default=500)
command.add_argument("--max-length", type=int, default=128)
command.add_argument("--lmpipe", default="target/release/lmpipe")
arguments = parser.parse_args()
if arguments.command == "arrays":
    arrays(arguments.cases)
else:
    rows(arguments)

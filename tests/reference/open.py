"""Opens a model directory that lmpipe wrote in stock transformers and compares it with `lmpipe predict`.

    pip install torch transformers compressed-tensors accelerate pyarrow
    python tests/reference/open.py MODEL_DIR datasets/movie-reviews.parquet [--rows 200] [--lmpipe target/release/lmpipe]

Prints the share of rows with the same label and the largest difference of a logit; exits with 1 when fewer than 99 % of the labels
agree, or when an f32 model's logits differ by more than 1e-4.
"""
import argparse
import json
import subprocess
import sys

import pyarrow.parquet as pq
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

arguments = argparse.ArgumentParser()
arguments.add_argument("model")
arguments.add_argument("data")
arguments.add_argument("--rows", type=int, default=200)
arguments.add_argument("--max-length", type=int, default=128)
arguments.add_argument("--lmpipe", default="target/release/lmpipe")
arguments = arguments.parse_args()

texts = [row["text"] for row in pq.read_table(arguments.data).to_pylist() if row["split"] == "test"][: arguments.rows]
lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
command = [arguments.lmpipe, "predict", arguments.model, "-", "--max-length", str(arguments.max_length)]
ours = [json.loads(line) for line in subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()]

tokenizer = AutoTokenizer.from_pretrained(arguments.model)
# Without the dtype a quantised model is opened in half precision.
model = AutoModelForSequenceClassification.from_pretrained(arguments.model, dtype=torch.float32).eval()
names = [model.config.id2label[i] for i in range(model.config.num_labels)]
same, worst = 0, 0.0
for text, row in zip(texts, ours, strict=True):
    encoding = tokenizer(text, truncation=True, max_length=arguments.max_length, return_tensors="pt")
    with torch.no_grad():
        logits = model(**encoding).logits[0]
    same += names[int(logits.argmax())] == row["label"]
    worst = max(worst, max(abs(float(logits[i]) - row["logits"][name]) for i, name in enumerate(names)))

quantized = hasattr(model.config, "quantization_config")
share = same / len(texts)
print(f"{len(texts)} rows: {share:.2%} the same label, logits differ by at most {worst:.2e}" + (" (int8)" if quantized else ""))
sys.exit(share < 0.99 or (not quantized and worst > 1e-4))

"""The reference run: what PyTorch and transformers reach on movie-reviews with the settings of recipes/reference.yaml.

    pip install torch transformers pyarrow
    python tests/reference/train.py MODEL_DIR datasets/movie-reviews.parquet [--seed 42]

Prints the teacher's validation accuracy by epoch and test accuracy, then the same for the student of layers 0, 2 and 4.
"""
import argparse
import copy
import random

import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

EPOCHS, BATCH, RATE, WARMUP, DECAY, CLIP, LENGTH, TEMPERATURE = 3, 32, 5e-5, 0.1, 0.01, 1.0, 128, 2.0

arguments = argparse.ArgumentParser()
arguments.add_argument("model")
arguments.add_argument("data")
arguments.add_argument("--seed", type=int, default=42)
arguments = arguments.parse_args()
torch.manual_seed(arguments.seed)
random.seed(arguments.seed)

table = pq.read_table(arguments.data).to_pylist()
labels = sorted({row["label"] for row in table})
tokenizer = AutoTokenizer.from_pretrained(arguments.model)
splits = {}
for name in ("train", "validation", "test"):
    rows = [row for row in table if row["split"] == name]
    ids = tokenizer([row["text"] for row in rows], truncation=True, max_length=LENGTH)["input_ids"]
    splits[name] = [(x, labels.index(row["label"])) for x, row in zip(ids, rows)]


def collate(rows):
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows])
    return ids, mask, torch.tensor([label for _, label in rows])


def batches(rows, shuffle):
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + (random.random() if shuffle else 0))
    groups = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    if shuffle:
        random.shuffle(groups)
    return [collate([rows[i] for i in group]) for group in groups]


@torch.no_grad()
def accuracy(model, split):
    model.eval()
    right = sum(
        (model(input_ids=ids, attention_mask=mask).logits.argmax(-1) == y).sum().item()
        for ids, mask, y in batches(splits[split], shuffle=False)
    )
    return right / len(splits[split])


def train(model, teacher=None):
    steps = EPOCHS * -(-len(splits["train"]) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = get_linear_schedule_with_warmup(optimizer, int(WARMUP * steps), steps)
    for _ in range(EPOCHS):
        model.train()
        for ids, mask, y in batches(splits["train"], shuffle=True):
            logits = model(input_ids=ids, attention_mask=mask).logits
            loss = F.cross_entropy(logits, y)
            if teacher is not None:
                with torch.no_grad():
                    target = F.softmax(teacher(input_ids=ids, attention_mask=mask).logits / TEMPERATURE, -1)
                soft = F.kl_div(F.log_softmax(logits / TEMPERATURE, -1), target, reduction="batchmean")
                loss = 0.5 * loss + 0.5 * TEMPERATURE**2 * soft
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            schedule.step()
        print(f"  validation {accuracy(model, 'validation'):.4f}", flush=True)
    print(f"  test       {accuracy(model, 'test'):.4f}", flush=True)


print("teacher")
teacher = AutoModelForSequenceClassification.from_pretrained(arguments.model, num_labels=len(labels))
train(teacher)
print("student: layers 0, 2, 4")
student = copy.deepcopy(teacher)
student.bert.encoder.layer = torch.nn.ModuleList(student.bert.encoder.layer[i] for i in (0, 2, 4))
student.config.num_hidden_layers = 3
teacher.eval()
train(student, teacher)

"""One epoch of fine-tuning with torch: `train_worker.py MODEL_DIR IDS THREADS BATCH` prints the time of a step as JSON.

Rows of alike length share a batch, which is padded to its longest row; AdamW, dropout 0.1, gradients clipped at 1.
"""
import json
import random
import sys
import time

import torch
from transformers import AutoModelForSequenceClassification

model, file, threads, BATCH = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
torch.manual_seed(0)
random.seed(0)
with open(file) as opened:
    rows = json.load(opened)
net = AutoModelForSequenceClassification.from_pretrained(
    model, num_labels=2, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1
)
net.train()
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-5, weight_decay=0.01)

order = sorted(range(len(rows["ids"])), key=lambda row: len(rows["ids"][row]))
batches = []
for at in range(0, len(order), BATCH):
    group = order[at : at + BATCH]
    length = max(len(rows["ids"][row]) for row in group)
    ids = torch.zeros(len(group), length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(group):
        own = rows["ids"][row]
        ids[place, : len(own)], mask[place, : len(own)] = torch.tensor(own), 1
    batches.append((ids, mask, torch.tensor([rows["labels"][row] for row in group])))
random.shuffle(batches)


def step(ids, mask, labels):
    loss = torch.nn.functional.cross_entropy(net(input_ids=ids, attention_mask=mask).logits, labels)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()


# The first steps allocate the state of the optimiser.
for batch in batches[:2]:
    step(*batch)
start, processor = time.perf_counter(), time.process_time()
for batch in batches:
    step(*batch)
seconds, processor = time.perf_counter() - start, time.process_time() - processor
print(json.dumps({"ms": seconds * 1e3 / len(batches), "cpu_ms": processor * 1e3 / len(batches)}))

"""A peer in a process of its own: `worker.py ENGINE MODEL THREADS` answers one line of JSON to each line of JSON.

ENGINE is `onnxruntime` (MODEL is a graph), `torch`, `torch int8` or `led` (MODEL is a folder). Every question is about the last
hidden state, but those to `led`, which writes.
"""
import json
import os
import statistics
import sys
import time

import numpy as np


def feed_of(ids, mask):
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def same_length(rows, length):
    """Rows of one length with ids that any BERT vocabulary has."""
    ids = ((np.arange(rows * length, dtype=np.int64) * 7919 + 13) % 28000 + 1000).reshape(rows, length)
    return feed_of(ids, np.ones_like(ids))


def padded(rows):
    """Rows padded to the longest of them."""
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return feed_of(ids, mask)


def torch_engine(model, threads, int8):
    import torch
    from transformers import AutoModel

    torch.set_num_threads(threads)
    with open(os.path.join(model, "config.json")) as file:
        kind = json.load(file)["model_type"]
    if kind == "longformer":
        return longformer(model)
    net = AutoModel.from_pretrained(model, attn_implementation="sdpa").eval()
    if int8:
        net = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, dtype=torch.qint8)

    def prepare(feed):
        feed = {name: torch.from_numpy(values) for name, values in feed.items()}

        def run():
            with torch.inference_mode():
                return net(**feed).last_hidden_state

        return run

    return prepare


def longformer(model):
    """The classifier, whose first token is global."""
    import torch
    from transformers import LongformerForSequenceClassification

    net = LongformerForSequenceClassification.from_pretrained(model).eval()

    def prepare(feed):
        ids, mask = (torch.from_numpy(feed[name]) for name in ("input_ids", "attention_mask"))

        def run():
            with torch.inference_mode():
                return net(input_ids=ids, attention_mask=mask).logits

        return run

    return prepare


def onnx_engine(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    wanted = {entry.name for entry in session.get_inputs()}

    def prepare(feed):
        feed = {name: values for name, values in feed.items() if name in wanted}
        return lambda: session.run(None, feed)

    return prepare


def latency(prepare, rows, length):
    run = prepare(same_length(rows, length))
    run(), run()
    times, start, processor = [], time.perf_counter(), time.process_time()
    while len(times) < 5 or time.perf_counter() - start < 1.0:
        before = time.perf_counter()
        run()
        times.append((time.perf_counter() - before) * 1e3)
    return {"ms": statistics.median(times), "cpu_ms": (time.process_time() - processor) * 1e3 / len(times)}


def rows_of(prepare, file, batch, by_length):
    """All rows of a file of ids once, in batches; padding is done before the clock starts, as tokenising is."""
    with open(file) as opened:
        rows = json.load(opened)
    if by_length:
        rows.sort(key=len)
    runs = [prepare(padded(rows[at : at + batch])) for at in range(0, len(rows), batch)]
    runs[0](), runs[-1]()
    start, processor = time.perf_counter(), time.process_time()
    for run in runs:
        run()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return {"ms": seconds * 1e3 / len(rows), "cpu_ms": processor * 1e3 / len(rows)}


def memory(prepare, calls):
    run = prepare(same_length(1, 128)) if calls else None
    for _ in range(calls):
        run()
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return {"bytes": int(line.split()[1]) * 1024}


def led_engine(model, threads):
    import torch
    from transformers import LEDForConditionalGeneration, RobertaTokenizerFast

    torch.set_num_threads(threads)
    net = LEDForConditionalGeneration.from_pretrained(model).eval()
    tokenizer = RobertaTokenizerFast(os.path.join(model, "vocab.json"), os.path.join(model, "merges.txt"))

    def write(file, tokens, beams, new):
        with open(file, encoding="utf-8") as opened:
            ids = tokenizer(opened.read(), return_tensors="pt").input_ids
        assert ids.shape[1] == tokens
        mask, ones = torch.zeros_like(ids), torch.ones_like(ids)
        mask[:, 0] = 1
        start, processor = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            states = net.get_encoder()(input_ids=ids, attention_mask=ones, global_attention_mask=mask)
            read = time.perf_counter()
            written = net.generate(
                input_ids=ids, encoder_outputs=states, attention_mask=ones, num_beams=beams, min_length=new + 1, max_length=new + 1
            )
        end, processor = time.perf_counter(), time.process_time() - processor
        assert written.shape[1] == new + 1
        return {"cpu_ms": processor * 1e3, "all": (end - start) * 1e3, "read": (read - start) * 1e3, "write": (end - read) * 1e3} | memory(None, 0)

    return write


if __name__ == "__main__":
    engine, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if engine == "led":
        write = led_engine(model, threads)
    elif engine == "onnxruntime":
        prepare = onnx_engine(model, threads)
    else:
        prepare = torch_engine(model, threads, engine.endswith("int8"))
    for line in sys.stdin:
        asked = json.loads(line)
        do = asked.pop("do")
        if do == "led":
            answer = write(**asked)
        else:
            answer = {"latency": latency, "rows": rows_of, "memory": memory}[do](prepare, **asked)
        print(json.dumps(answer), flush=True)

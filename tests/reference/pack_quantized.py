"""Writes the golden `pack-quantized` models of tests/data/formats with compressed-tensors itself.

    pip install torch transformers compressed-tensors accelerate
    python tests/reference/pack_quantized.py tests/data/formats

From `fp32`: `w4a16` (4 bits, a scale for 16 weights in a row) and `w8a16` (8 bits, a scale a row, tables too); and
`logits.json`, what transformers says of both. Made with compressed-tensors 0.20.0, transformers 4.57.6 and torch 2.15.0.
"""
import json
import os
import shutil
import sys

import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    QuantizationStatus,
    apply_quantization_config,
)
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

IGNORE = ["bert.pooler.dense", "classifier"]
IDS = [[2, 17, 150, 3, 99, 42, 8], [5, 199, 1, 0, 77, 64, 31]]


def scales_and_zeros(weight, args):
    columns = args.group_size or weight.shape[1]
    groups = weight.reshape(weight.shape[0], -1, columns)
    return calculate_qparams(groups.amin(-1), groups.amax(-1), args)


def write(folder, source, target, args, targets):
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    groups = {"group_0": QuantizationScheme(targets=targets, weights=args)}
    config = QuantizationConfig(config_groups=groups, ignore=IGNORE, quantization_status=QuantizationStatus.FROZEN)
    apply_quantization_config(model, config)
    for module in model.modules():
        if getattr(module, "quantization_scheme", None):
            module.weight_scale.data, module.weight_zero_point.data = scales_and_zeros(module.weight.data, args)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    os.makedirs(target, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, f"{target}/model.safetensors", metadata={"format": "pt"})
    shutil.copy(f"{source}/config.json", target)
    compressor.update_config(target)


def logits(folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor(IDS)).logits.tolist()


def main():
    folder = sys.argv[1]
    forms = {
        "w4a16": (QuantizationArgs(num_bits=4, type="int", symmetric=True, strategy="group", group_size=16), ["Linear"]),
        "w8a16": (QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="channel"), ["Linear", "Embedding"]),
    }
    said = {}
    for name, (args, targets) in forms.items():
        write(folder, f"{folder}/fp32", f"{folder}/{name}", args, targets)
        said[name] = logits(f"{folder}/{name}")
        stored = load_file(f"{folder}/{name}/model.safetensors")
        print(name, sum(tensor.nbytes for tensor in stored.values()), "bytes,", len(stored), "tensors")
    with open(f"{folder}/logits.json", "w") as file:
        json.dump({"input_ids": IDS, "logits": said}, file)


main()

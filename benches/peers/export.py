"""What has to be made before measuring: graphs for ONNX Runtime, and an encoder of BERT-base's shape.

    export.py graph MODEL_DIR FOLDER      writes f32.onnx and int8.onnx (dynamic, per channel)
    export.py base MODEL_DIR FOLDER       writes 12 layers of 768 with random weights, and the tokenizer of MODEL_DIR

It is a program of its own so that the process that measures stays small.
"""
import os
import shutil
import sys

import torch
from transformers import BertConfig, BertModel


def graph(model, folder):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    class Encoder(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.net(input_ids, attention_mask, token_type_ids).last_hidden_state

    ids = torch.randint(1000, 2000, (2, 16))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    f32, int8 = os.path.join(folder, "f32.onnx"), os.path.join(folder, "int8.onnx")
    net = Encoder(BertModel.from_pretrained(model, attn_implementation="eager")).eval()
    torch.onnx.export(
        net, (ids, torch.ones_like(ids), torch.zeros_like(ids)), f32, input_names=names,
        output_names=["last_hidden_state"], dynamic_axes={name: {0: "rows", 1: "length"} for name in names},
        opset_version=17, dynamo=False,
    )
    quantize_dynamic(f32, int8, per_channel=True, reduce_range=False, weight_type=QuantType.QInt8)


def base(model, folder):
    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if os.path.exists(os.path.join(model, name)):
            shutil.copy(os.path.join(model, name), folder)


if __name__ == "__main__":
    {"graph": graph, "base": base}[sys.argv[1]](sys.argv[2], sys.argv[3])

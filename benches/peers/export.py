"""What has to be made before measuring: graphs for ONNX Runtime, and an encoder of BERT-base's shape.

    export.py graph MODEL_DIR FOLDER      writes f32.onnx and int8.onnx (dynamic, per channel)
    export.py base MODEL_DIR FOLDER       writes 12 layers of 768 with random weights, and the tokenizer of MODEL_DIR
    export.py long MODEL_DIR FOLDER       writes full/ and windows/: classifiers of 4096 tokens made from the model, as the
                                          authors of Longformer made theirs (tiled positions, copied projections)

    export.py led MODEL_DIR FOLDER        writes a LED of led-base's shape with random weights, and a tokenizer of bytes

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


def long(model, folder, tokens=4096, window=512):
    from transformers import BertForSequenceClassification, LongformerConfig, LongformerForSequenceClassification

    torch.manual_seed(0)
    full = BertForSequenceClassification.from_pretrained(model).float()
    places = full.bert.embeddings.position_embeddings.weight.data
    tiled = places.repeat(-(-tokens // len(places)), 1)[:tokens]
    full.config.max_position_embeddings = tokens
    full.bert.embeddings.position_embeddings.weight = torch.nn.Parameter(tiled)
    full.bert.embeddings.position_ids = torch.arange(tokens)[None]
    full.save_pretrained(os.path.join(folder, "full"))
    shape = {key: getattr(full.config, key) for key in (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "layer_norm_eps")}
    config = LongformerConfig(**shape, attention_window=window, max_position_embeddings=tokens + 1, pad_token_id=0, type_vocab_size=1)
    windows = LongformerForSequenceClassification(config)
    state, theirs = windows.state_dict(), full.state_dict()
    for name in state:
        source = theirs.get(name.replace("longformer.", "bert.").replace("_global.", "."))
        if source is not None and "embeddings.p" not in name and "token_type" not in name:
            state[name] = source
    state["longformer.embeddings.position_embeddings.weight"][1:] = tiled
    state["longformer.embeddings.token_type_embeddings.weight"] = theirs["bert.embeddings.token_type_embeddings.weight"][:1]
    windows.load_state_dict(state)
    windows.save_pretrained(os.path.join(folder, "windows"))
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        for kind in ("full", "windows"):
            if os.path.exists(os.path.join(model, name)):
                shutil.copy(os.path.join(model, name), os.path.join(folder, kind))


def led(_, folder):
    """The tokenizer knows bytes and no pairs; the other ids are never in a text."""
    import json
    import string

    from transformers import LEDConfig, LEDForConditionalGeneration

    torch.manual_seed(0)
    shape = dict(d_model=768, encoder_layers=6, decoder_layers=6, encoder_attention_heads=12, decoder_attention_heads=12,
                 encoder_ffn_dim=3072, decoder_ffn_dim=3072, attention_window=1024, vocab_size=50265)
    LEDForConditionalGeneration(LEDConfig(**shape)).save_pretrained(folder)
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *string.ascii_letters]
    files = {"vocab.json": json.dumps({word: i for i, word in enumerate(words)}), "merges.txt": "#version: 0.2\n",
             "tokenizer_config.json": json.dumps({"tokenizer_class": "LEDTokenizer"})}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    {"graph": graph, "base": base, "long": long, "led": led}[sys.argv[1]](sys.argv[2], sys.argv[3])

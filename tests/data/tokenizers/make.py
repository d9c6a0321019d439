"""Makes the tiny tokenizers of this folder, without `tokenizer.json`, and the ids that `transformers` gives with them.

Run with transformers installed:  python make.py
`expected.json` has the versions it was made with, texts and pairs of texts, and for each folder their ids.

  bert           uncased, with the default settings: no `tokenizer_config.json`
  bert-cased     cased, accents stripped, Chinese characters left as they are, a token beside the vocabulary
  roberta        byte-level BPE with the default settings
  roberta-space  a space before the first word, a mask of another name, tokens beside the vocabulary
"""

import json
import os
import shutil

import tokenizers
import transformers
from tokenizers import ByteLevelBPETokenizer
from transformers import BertTokenizerFast, RobertaTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))

TEXTS = [
    "", " ", "   ", "\n\t", "a", "A good movie!", "  two  leading  spaces", "trailing  ", "a\tb\nc\r\nd", "naïve café ÉCOLE",
    "e\u0301 cole\u0301", "ΑΒΓ ς σ Σ", "İstanbul ı", "Straße ẞ", "日本語テスト", "中文 and English混合", "한국어", "emoji 😀👍🏽 family 👨‍👩‍👧",
    "\u200b\u200d\ufeffzero width", "soft\u00adhyphen", "non\u00a0breaking\u3000space", "null\x00byte \x7f \ufffd", "control\x1b[0m",
    "x" * 150, "good" * 40, "don't we'll I'VE", "1234567890 3.14 1,000", "http://a.b/c?d=e&f", "…—“quoted”‘s’", "<mask>",
    "a <mask> b", "a<mask>b", "  <mask>  ", "[MASK]", "a [MASK] b", "a[MASK]b", "[mask]", "[CLS] [SEP] [PAD] [UNK]",
    "<s> </s> <pad> <unk>", "<MASK>", "<blank>", "a <blank> b", "<new>", "movie<new>movie", "[NEW] [new]", "good<NEW>", "ǅ ﬁ ＡＢＣ ①",
    "مرحبا بالعالم", "नमस्ते", "a\u0300\u0301\u0302", "\U0001d518\U0001d52b", "movies movie moviegoers", "   \n  movie  \n ",
]
PAIRS = [["a good movie", "good"], ["", "good"], ["good", ""], ["", ""], ["a <mask>", "[MASK] b"], [" good", " movie "]]

CORPUS = ["a good movie and a bad movie", "the movies were good", "don't we'll I've", "naïve café", "日本語 中文", "1234 3.14"]

BERT = """[PAD] [UNK] [CLS] [SEP] [MASK] a b c d e f g good movie cafe café naive naïve ecole École ECOLE and English english two leading
spaces don ' t we ll I i ve ##s ##goers ##a ##b ##c ##o ##d ##x x . , ! ? 1 12 ##34 ##5 ##67 3 14 : / [ ] < > mask MASK CLS cls 日 本 語
中 文 混合 ##混 ##合 中文 😀 👍 … “ ” ‘ ’ — σ ς stra ##ße ##ss ##e i̇ istanbul ##ı zero width nullbyte null ##byte good##good ##good
한국어 ᄒ ##ᅡ a##b controls control ##[0m 0 m a b café e cole fi ＡＢＣ abc new NEW blank""".split()


def folder(name, **files):
    path = os.path.join(HERE, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    for file, content in files.items():
        file, extension = file.rsplit("_", 1)
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        with open(os.path.join(path, f"{file}.{extension}"), "w", encoding="utf-8") as out:
            out.write(text + "\n")
    return path


def roberta(name, **files):
    path = folder(name, **files)
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(CORPUS, vocab_size=300, min_frequency=1, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
                            show_progress=False)
    bpe.save_model(path)
    return path


def main():
    vocab = "\n".join(dict.fromkeys(BERT))
    size = len(dict.fromkeys(BERT))
    made = {
        "bert": BertTokenizerFast.from_pretrained(folder("bert", vocab_txt=vocab)),
        "bert-cased": BertTokenizerFast.from_pretrained(folder(
            "bert-cased", vocab_txt=vocab, special_tokens_map_json={"mask_token": "[MASK]", "unk_token": {"content": "[UNK]"}},
            added_tokens_json={"[NEW]": size},
            tokenizer_config_json=dict(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False,
                                       tokenizer_class="BertTokenizer", model_max_length=512))),
        "roberta": RobertaTokenizerFast.from_pretrained(roberta("roberta")),
        "roberta-space": RobertaTokenizerFast.from_pretrained(roberta("roberta-space", tokenizer_config_json=dict(
            add_prefix_space=True, tokenizer_class="RobertaTokenizer", mask_token="<blank>", additional_special_tokens=["<new>"],
            added_tokens_decoder={
                "300": dict(content="<blank>", lstrip=True, rstrip=False, normalized=False, single_word=False, special=True),
                "301": dict(content="<new>", lstrip=False, rstrip=True, normalized=True, single_word=False, special=False)}))),
    }
    versions = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
    expected = {"versions": versions, "texts": TEXTS, "pairs": PAIRS, "ids": {}, "pair_ids": {}, "pair_types": {}}
    for name, tokenizer in made.items():
        expected["ids"][name] = [tokenizer(text)["input_ids"] for text in TEXTS]
        # One at a time an empty second text would be none at all.
        pairs = [tokenizer([tuple(pair)], return_token_type_ids=True) for pair in PAIRS]
        expected["pair_ids"][name] = [pair["input_ids"][0] for pair in pairs]
        expected["pair_types"][name] = [pair["token_type_ids"][0] for pair in pairs]
    with open(os.path.join(HERE, "expected.json"), "w", encoding="utf-8") as out:
        json.dump(expected, out, ensure_ascii=True)
        out.write("\n")


if __name__ == "__main__":
    main()

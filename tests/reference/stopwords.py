"""Writes tests/data/text/stopwords.json: 1,000 reviews, and the words that NLTK leaves of them.

    pip install nltk pyarrow llama-index-core    # the last one has the data of NLTK in it
    NLTK_DATA=…/llama_index/core/_static/nltk_cache \
        python tests/reference/stopwords.py datasets/movie-reviews.parquet tests/data/text/stopwords.json

What is left: the tokens of `word_tokenize` that are not in `stopwords.words("english")`. That tokenizer cuts contractions
(`do n't`, `it 's`, `can not`), the list has them whole (`don't`, `it's`): they are put together again before they are looked up.
With `plain` they are not; the number of rows in which that matters is printed. Made with nltk 3.10.4.
"""
import json
import re
import sys

import pyarrow.parquet as pq
from nltk.corpus import stopwords
from nltk.tokenize import word_tokenize

STOP = set(stopwords.words("english"))


def runs(text):
    """Letters and digits only: `co-writer's` is `co writer s` however it was cut."""
    return re.findall(r"[^\W_]+", text)


def tokens(text, plain):
    out = []
    end = 0
    # Back to where each token stands; the tokenizer makes `` and '' of quotation marks.
    for token in word_tokenize(text):
        if token in ("``", "''"):
            continue
        start = text.find(token, end)
        if start < 0:
            start = end
        is_end = re.fullmatch(r"n't|'?[a-z]+", token, re.IGNORECASE)
        if not plain and is_end and start == end and out and out[-1][-1].isalnum():
            out[-1] += token
        else:
            out.append(token)
        end = start + len(token)
    return out


def left(text, plain=False):
    return runs(" ".join(token for token in tokens(text, plain) if token.lower() not in STOP))


def main():
    texts = pq.read_table(sys.argv[1]).column("text").to_pylist()[:1000]
    rows = [[text, " ".join(left(text))] for text in texts]
    differ = sum(left(text, True) != left(text) for text in texts)
    print(f"{differ} of {len(texts)} rows differ where contractions are cut")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


main()

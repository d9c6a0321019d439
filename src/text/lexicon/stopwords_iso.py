"""Writes stopwords-iso.tsv from the Python package of that name.

    pip install stopwordsiso
    python src/text/lexicon/stopwords_iso.py src/text/lexicon/stopwords-iso.tsv

Only the languages of which NLTK has a list, too: the lists of the others come with the crate `stop-words`. Entries of
several words never match a word and are left out. Made with stopwordsiso 0.7.1; the licence lies beside it.
"""
import sys

import stopwordsiso

NLTK = "ar bn ca da de el en es eu fi fr he hu id it nl no pt ro ru sl sv tr zh".split()

with open(sys.argv[1], "w", encoding="utf-8") as out:
    for code in NLTK:
        words = sorted(word for word in stopwordsiso.stopwords(code) if word and not any(c.isspace() for c in word))
        out.write(f"{code}\t{' '.join(words)}\n")

"""Writes tests/data/text/stems.json: words of 18 languages and their stems by the Snowball algorithms.

    pip install 'snowballstemmer==2.2.0' wordfreq
    python tests/reference/stems.py tests/data/text/stems.json

The words are every so many of the most frequent ones. Made with snowballstemmer 2.2.0 and wordfreq 3.1.1.
"""
import json
import sys

import snowballstemmer
import wordfreq

LANGUAGES = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}
WORDS = 250
MOST = 20_000


def main():
    golden = {}
    for code, name in LANGUAGES.items():
        stemmer = snowballstemmer.stemmer(name)
        words = [w for w in wordfreq.top_n_list("nb" if code == "no" else code, MOST) if len(w) > 3 and w.isalpha()]
        chosen = words[:: max(1, len(words) // WORDS)][:WORDS]
        golden[code] = " ".join(f"{word}={stemmer.stemWord(word)}" for word in chosen)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(golden, out, ensure_ascii=False, indent=0)
        out.write("\n")


main()

"""Makes `en.tsv` from the files of WordNet 3.0: one line a word, `word<TAB>synonym synonym …`, sorted by bytes.

    python3 build.py /usr/share/wordnet > en.tsv        # Debian: apt-get install wordnet-base

A replacement must not change what a text says, so that the table is short rather than complete:
- single words in small letters, in their base form;
- of each word only the part of speech that is most frequent in WordNet's counts, and of that the first sense;
- a synonym must have that sense among its own first two, in the same part of speech;
- a synonym must occur in the texts that WordNet's authors tagged (`histrion` does not);
- at most six synonyms, in WordNet's order.
"""

import re
import sys
from pathlib import Path

PARTS = {"noun": "1", "verb": "2", "adj": "35", "adv": "4"}
WORD = re.compile(r"[a-z]{3,}")
MOST = 6


def main(folder: Path) -> None:
    counts = {}  # (word, digit of the part of speech) -> how often it was tagged
    for line in (folder / "cntlist.rev").read_text("latin-1").splitlines():
        key, _, count = line.split()
        word, sense = key.split("%")
        counts[word, sense[0]] = counts.get((word, sense[0]), 0) + int(count)
    senses = {part: index(folder / f"index.{part}") for part in PARTS}
    synsets = {part: data(folder / f"data.{part}") for part in PARTS}
    lines = []
    for word in sorted(set().union(*senses.values())):
        parts = [part for part in PARTS if word in senses[part]]
        # The first of equals: noun, verb, adjective, adverb.
        part = max(parts, key=lambda part: sum(counts.get((word, digit), 0) for digit in PARTS[part]))
        first = senses[part][word][0]
        synonyms = [
            other
            for other in synsets[part][first]
            if other != word
            and WORD.fullmatch(other)
            and first in senses[part][other][:2]
            and any((other, digit) in counts for digit in PARTS[part])
        ]
        synonyms = list(dict.fromkeys(synonyms))[:MOST]
        if synonyms:
            lines.append(f"{word}\t{' '.join(synonyms)}\n")
    sys.stdout.write("".join(sorted(lines)))


def index(path: Path) -> dict[str, list[str]]:
    """The synsets of each word, the most frequent sense first."""
    senses = {}
    for line in path.read_text("latin-1").splitlines():
        fields = line.split()
        if not line.startswith(" ") and WORD.fullmatch(fields[0]):
            senses[fields[0]] = fields[-int(fields[2]):]
    return senses


def data(path: Path) -> dict[str, list[str]]:
    """The words of each synset. A capital or a syntactic marker, as in `galore(ip)`, makes a word unfit."""
    synsets = {}
    for line in path.read_text("latin-1").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            synsets[fields[0]] = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return synsets


main(Path(sys.argv[1]))

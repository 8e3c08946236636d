#!/usr/bin/env python3
"""Runs every `console` block of README.md against a fresh server and holds the printed output against what it says there.
Checks, too, that the table of settings knows every flag of `leasehold serve`.

    tests/readme_walk.py BINARY          check
    tests/readme_walk.py BINARY --write  put the real output into README.md

A block's lines that begin with `$ ` are commands, with `> ` their further lines; what follows is their output. The commands of a
block run in one shell, so that what one begins with `&` another can `wait` for. Times, UUIDs, request ids and keys differ from run to
run: they are compared by shape.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
# What the reader types first: the helpers, and where the server is, which the walk knows better.
SET_UP = re.compile(r"```sh\nexport URL=[^\n]*\n(.*?)```\n", re.DOTALL)
COMMAND = re.compile(r"^\$ .*(?:\n> .*)*", re.MULTILINE)
# Printed between the outputs of commands: no output has it.
SEPARATOR = "\x1e"
KEY = "lh-walkthrough-admin-key"

VOLATILE = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "<time>"),
    (re.compile(r"lh_[0-9a-f]{12}_[0-9a-f]{64}"), "<key>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<key id>"),
    (re.compile(r'("(?:remaining|waited|safe_for)_ms": )\d+'), r"\1<ms>"),
    (re.compile(r'("request_id": )"[^"]+"'), r"\1<id>"),
    (re.compile(r'("commit_id": )"[^"]+"'), r"\1<commit>"),
    (re.compile(r"^id: \d+-\d+$", re.MULTILINE), "id: <event id>"),
    (re.compile(r"for another \d+(\.\d+)? ?m?s"), "for another <span>"),
]


def shape(text: str) -> str:
    for pattern, stand_in in VOLATILE:
        text = pattern.sub(stand_in, text)
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url: str, server: subprocess.Popen) -> None:
    for _ in range(200):
        if server.poll() is not None:
            sys.exit(f"the server ended with {server.returncode}")
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=1)
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the server was not ready within 10 s")


def run_block(block: str, set_up: str, env: dict[str, str], directory: str) -> str:
    """The block anew, with the output that its commands print now."""
    shown = COMMAND.findall(block)
    commands = [re.sub(r"^(\$|>) ", "", command, flags=re.MULTILINE) for command in shown]
    lines = ["set -e -o pipefail", "shopt -s expand_aliases", set_up]
    for command in commands:
        lines += [f"printf '{SEPARATOR}'", command]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], env=env, cwd=directory, capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        sys.exit(f"{block}\nended with {done.returncode}: {done.stdout}{done.stderr}")
    outputs = done.stdout.split(SEPARATOR)[1:]
    return "".join(f"{command}\n{output}" for command, output in zip(shown, outputs, strict=True))


def missing_flags(binary: Path, readme: str) -> list[str]:
    help_text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"^ +(--[a-z-]+)", help_text, re.MULTILINE)) - {"--help"}
    return sorted(flag for flag in flags if f"`{flag}`" not in readme)


def main() -> None:
    binary, write = Path(sys.argv[1]).resolve(), "--write" in sys.argv[2:]
    url = f"http://127.0.0.1:{free_port()}"
    env = os.environ | {
        "URL": url,
        "OTHER": f"127.0.0.1:{free_port()}",
        "KEY": KEY,
        "LEASEHOLD_API_KEY": KEY,
        "LEASEHOLD_SERVER": url,
        "PATH": f"{binary.parent}:{os.environ['PATH']}",
    }
    readme = README.read_text()
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen(
            [binary, "serve", "--listen", url.removeprefix("http://"), "--data-dir", f"{data}/d", "--log-level", "warn"],
            env=env,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(url, server)
            blocks = BLOCK.findall(readme)
            set_up = SET_UP.search(readme).group(1)
            real = [run_block(block, set_up, env, data) for block in blocks]
        finally:
            server.terminate()
            server.wait(timeout=30)
    wrong = [(said, is_) for said, is_ in zip(blocks, real) if shape(said) != shape(is_)]
    if write:
        for said, is_ in wrong:
            readme = readme.replace(f"```console\n{said}```\n", f"```console\n{is_}```\n")
        README.write_text(readme)
        print(f"README.md: {len(wrong)} of {len(blocks)} blocks written anew")
        return
    for said, is_ in wrong:
        print(f"README.md says:\n{said}\nbut it prints:\n{is_}")
    forgotten = missing_flags(binary, readme)
    for flag in forgotten:
        print(f"README.md does not mention {flag}")
    failed = len(wrong) + len(forgotten)
    print(f"{len(blocks) - len(wrong)} passed, {failed} failed")
    sys.exit(1 if failed or not blocks else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Holds deploy/cloud-run against the binary and against itself: the settings are ones that the service knows, the limits fit
each other, and a dry run of the script makes its commands in order.

    tests/deploy/cloud_run.py BINARY

Not tested so: anything that Google does.
"""

import os
import pathlib
import re
import subprocess
import sys

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "cloud-run"
LONGEST_WAIT_SECONDS = 300
COMMANDS = [
    "services enable", "firestore databases create", "iam service-accounts create", "roles/datastore.user",
    "secrets create", "secrets versions add", "roles/secretmanager.secretAccessor", "artifacts repositories create",
    "build --platform", "auth print-access-token", "login --username", " push ", "run services replace", "roles/run.invoker", "run services describe",
]


def service(binary):
    text = (DEPLOY / "service.yaml").read_text()
    filled = re.sub(r"\$\{[A-Z]+\}", "filled-in", text)
    template = yaml.safe_load(filled)["spec"]["template"]
    spec = template["spec"]
    container, = spec["containers"]
    variables = {entry["name"]: entry.get("value", "a-key-from-the-secret-manager-000000") for entry in container["env"]}
    variables["PORT"] = str(container["ports"][0]["containerPort"])

    done = subprocess.run([binary, "config"], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = {name.removeprefix("LEASEHOLD_").lower().replace("_", "-") for name in variables} - {"port"}
    taken = {name for name in names if re.search(rf"^{name} .*environment", done.stdout, re.MULTILINE)}
    assert taken == names, f"not taken by the service: {names - taken}\n{done.stdout}"
    assert f"0.0.0.0:{variables['PORT']}" in done.stdout, done.stdout

    assert spec["timeoutSeconds"] > LONGEST_WAIT_SECONDS
    waiting = int(variables["LEASEHOLD_MAX_WAITERS"]) + int(variables["LEASEHOLD_MAX_EVENT_STREAMS"])
    assert waiting < spec["containerConcurrency"], "waiters could keep holders from releasing"
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"] == "1"


def dry_run():
    done = subprocess.run([DEPLOY / "deploy.sh", "--dry-run", "my-project"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    commands = [line for line in done.stderr.splitlines() if line.startswith("+ ")]
    assert len(commands) == len(COMMANDS), "\n".join(commands)
    for command, part in zip(commands, COMMANDS, strict=True):
        assert part in command, f"{part!r} is not in {command!r}"


def refusals():
    for arguments in ([], ["Not A Project"], ["my-project", "us-central1", "more"]):
        done = subprocess.run([DEPLOY / "deploy.sh", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "usage" in done.stderr, (arguments, done.stderr)


if __name__ == "__main__":
    service(os.path.abspath(sys.argv[1]))
    dry_run()
    refusals()
    print("cloud-run: settings, limits and dry run hold")

#!/usr/bin/env bash
# What the documents show must be true: programs are those of c-examples, excerpts of C compile, JSON is accepted as such,
# links within the repository lead somewhere, lines of prose are at most 100 columns wide.
set -euo pipefail
cd "$(dirname "$0")/.."

exec python3 - ./*.md crates/*/README.md docs/*.md <<'PYTHON'
import json, os, re, subprocess, sys

passed, failed = 0, 0

# What the excerpts in docs/sdk.md take for granted.
PRELUDE = """
#include <mesh_dp.h>
#include <poll.h>
void check(int err);
void process(const void *a, const void *b, const void *c);
void handle(int i, MeshBuffer *buf);
void excerpt(MeshClient *client, MeshConnection *conn, MeshConnection **conns, MeshBuffer *buf, int err);
void excerpt(MeshClient *client, MeshConnection *conn, MeshConnection **conns, MeshBuffer *buf, int err)
{ (void)client; (void)conn; (void)conns; (void)buf; (void)err;
{
"""


def check(name, problem):
    global passed, failed
    if problem:
        failed += 1
        print(f"failed: {name}: {problem}")
    else:
        passed += 1


def compile_c(text):
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-fsyntax-only", "-x", "c", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True).stderr


def anchor(title):
    return re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-")


def anchors(path):
    with open(path) as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.S)
    return {anchor(title) for title in re.findall(r"^#+ (.*)$", text, flags=re.M)}


for path in sys.argv[1:]:
    with open(path) as file:
        text = file.read()
    for marker, language, block in re.findall(r"(<!-- \S+ -->\n)?```(\w*)\n(.*?)```", text, flags=re.S):
        name = f"{path}: {block.strip().splitlines()[0][:60]}"
        if marker:
            with open(marker.split()[1]) as file:
                check(name, "" if block.strip() in file.read() else f"differs from {marker.split()[1]}")
        elif language == "c":
            check(name, compile_c(PRELUDE + block + "\n}}\n"))
        elif language == "json":
            try:
                json.loads(block)
                check(name, "")
            except ValueError as error:
                check(name, str(error))
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    wide = [line for line in prose.splitlines() if len(line) > 100 and not line.lstrip().startswith("|")]
    check(f"{path}: lines of prose", f"wider than 100 columns: {wide[0]}" if wide else "")
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, title = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if not os.path.exists(target):
            check(f"{path}: link {link}", "there is no such file")
        else:
            check(f"{path}: link {link}", "" if not title or title in anchors(target) else "there is no such heading")

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
PYTHON

"""The commands that a document prints: each line of its shell blocks, as a reader would type it."""

import re

SHELLS = {"sh", "bash", "console"}


def commands(text, without=()):
    """All commands of a document in their order, but for those of the sections `without`. A command over several lines is one; comments
    behind it are left out."""
    for section in without:
        text, found = re.subn(rf"^(#+) {re.escape(section)}\n.*?(?=^\1 |\Z)", "", text, flags=re.S | re.M)
        if not found:
            raise ValueError(f"there is no section {section!r}")
    found = []
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.S | re.M):
        if language not in SHELLS:
            continue
        block = re.sub(r"\\\n\s*", "", block)
        for line in block.splitlines():
            if language == "console":
                # What a program prints has no prompt.
                if not line.startswith("$ "):
                    continue
                line = line[2:]
            line = re.sub(r"(^|\s+)#( .*)?$", "", line).strip()
            if line:
                found.append(re.sub(r"\s+", " ", line))
    return found

"""Runs the commands that the documents print, as root in namespaces made for it: see scripts/test-doc-commands.sh.

main.py PREFIX [SCENARIO]: with the programs installed in PREFIX. The last line is "N passed, N failed".
"""

import os
import shutil
import sys
import tempfile

from blocks import commands
from coverage import NOT_RUN, RUN_ELSEWHERE
from hosts import Failed, Host, switches
from scenarios import SCENARIOS


class Document:
    """The commands of a document that no scenario has asked for yet."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.left = commands(file.read(), RUN_ELSEWHERE.get(path, ()))
        self.path = path

    def take(self, *wanted):
        """These commands; it is an error if the document does not print them."""
        for command in wanted:
            if command not in self.left:
                raise Failed(f"{self.path} does not print `{command}` (any more)")
            self.left.remove(command)
        return wanted


def main(prefix, only=None):
    passed = failed = 0
    switches()
    for path, scenarios in SCENARIOS.items():
        document = Document(path)
        for scenario in scenarios:
            if only and scenario.__name__ != only:
                continue
            work = tempfile.mkdtemp()
            hosts = {number: Host(number, work, prefix) for number in (1, 2)}
            try:
                scenario(document, hosts)
                passed += 1
            except Failed as failure:
                failed += 1
                print(f"failed: {path}, {scenario.__name__}: {failure}")
            finally:
                for host in hosts.values():
                    host.remove()
                shutil.rmtree(work)
        if only:
            continue
        for command, reason in NOT_RUN[path].items():
            if command in document.left:
                document.left.remove(command)
                print(f"not run: {path}: {command}: needs {reason}")
            else:
                failed += 1
                print(f"failed: {path} does not print `{command}`, which is listed as not run")
        for command in document.left:
            failed += 1
            print(f"failed: {path} prints `{command}`, which no scenario runs and no reason excuses")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    sys.exit(main(*sys.argv[1:]))

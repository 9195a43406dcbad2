"""The pages are true: every source file has its line in ARCHITECTURE.md and none that is gone, links lead somewhere, and
README and the tour test show the same commands."""

import os
import re
import unittest

import harness
import test_tour


def page(name):
    with open(os.path.join(harness.SOURCE, name), encoding="utf-8") as f:
        return f.read()


def sources():
    out = set()
    for top in ("src", "cli", "web"):
        for folder, _, names in os.walk(os.path.join(harness.SOURCE, top)):
            out |= {os.path.relpath(os.path.join(folder, n), harness.SOURCE) for n in names if n.endswith((".c", ".h", ".mjs"))}
    return out


def pages():
    for folder, dirs, names in os.walk(harness.SOURCE):
        dirs[:] = [d for d in dirs if d not in ("build", ".git", "node_modules")]
        for name in names:
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), harness.SOURCE)


class Docs(unittest.TestCase):
    def test_every_file_has_its_line(self):
        """Lines are `- \\`folder/stem\\`` or `- \\`folder/name.c\\`` and name .c and .h together where both exist."""
        told = set(re.findall(r"(?m)^- `((?:src|cli|web)/[^`]+)`", page("ARCHITECTURE.md")))
        real = {os.path.splitext(s)[0] for s in sources()}
        self.assertEqual(sorted(real - told), [], "files without a line in ARCHITECTURE.md")
        self.assertEqual(sorted(told - real), [], "lines in ARCHITECTURE.md for files that are gone")
        self.assertGreater(len(real), 30)

    def test_links_lead_somewhere(self):
        for name in pages():
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page(name)):
                if "://" in target or target.startswith("mailto:"):
                    continue
                path = os.path.join(harness.SOURCE, os.path.dirname(name), target)
                self.assertTrue(os.path.exists(path), f"{name} links to {target}")

    def test_files_named_in_architecture_exist(self):
        for target in re.findall(r"`((?:src|cli|web|tests|tools|packs|docs|cmake)/[A-Za-z0-9_./-]+\.\w+)`", page("ARCHITECTURE.md")):
            self.assertTrue(os.path.exists(os.path.join(harness.SOURCE, target)), target)


    def test_readme_shows_the_tour(self):
        """The tour in README is the one that test_tour runs: the same commands in the same order."""
        shown = [re.sub(r"\s+#.*", "", line) for line in page("README.md").splitlines()]
        at = 0
        for name, command in test_tour.TOUR:
            if name == test_tour.BEYOND:
                break
            command = "./tools/build; " + command if name == "environment" else command
            self.assertIn(command, shown[at:], f"{name}: not in README, or not in this place")
            at += shown[at:].index(command) + 1
        self.assertGreater(at, 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)

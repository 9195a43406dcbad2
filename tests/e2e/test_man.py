"""Man pages and completion say what --help says: every command, option and exit code; and they render and complete."""

import os
import re
import shutil
import stat
import subprocess
import sys
import unittest

import harness

PAGES = os.path.join(harness.SOURCE, "tools", "pages")


def helps():
    """Page name and help text of every command, read apart from tools/pages."""
    listed = re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?) {2,}\S", harness.run("bourn", "--help").stdout)
    out = {"bourn-" + words.replace(" ", "-"): harness.run("bourn", *words.split(), "--help").stdout for words in listed}
    out["bourn-verify"] = harness.run("bourn-verify", "--help").stdout
    return out


class Man(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([sys.executable, "-B", PAGES, harness.BIN, cls.tmp], check=True, timeout=120)
        cls.man = os.path.join(cls.tmp, "man", "man1")
        cls.helps = helps()

    def page(self, name):
        with open(os.path.join(self.man, name + ".1"), encoding="ascii") as f:
            return f.read().replace("\\-", "-")

    def test_every_command_has_its_page_and_no_other(self):
        self.assertGreater(len(self.helps), 18)
        self.assertEqual(sorted(os.listdir(self.man)), sorted(n + ".1" for n in ["bourn", *self.helps]))
        for name in self.helps:
            self.assertIn(f"\\fB{name}\\fR(1)", self.page("bourn"))

    def test_every_option_is_in_the_page_and_described(self):
        for name, text in self.helps.items():
            options = self.page(name).partition(".SH OPTIONS")[2].partition(".SH EXIT")[0]
            for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text.partition("Exit:")[0])):
                if f"`bourn" in text and re.search(rf"`bourn[^`]*{option}\b", text) and f" {option}" not in text.splitlines()[0]:
                    continue  # an option of another command, in a quotation
                self.assertRegex(options, rf"(?m)^\.TP\n\\fB{option}\\fR.*\n.*\w", f"{name}: {option}")

    def test_every_exit_code_is_in_the_page(self):
        texts = dict(self.helps, bourn=harness.run("bourn", "--help").stdout)
        for name, text in texts.items():
            line = re.search(r"(?ms)^ *[Ee]xit: (.*)", text)
            self.assertIsNotNone(line, f"{name} says no exit codes")
            codes = re.findall(r"(?:^|[,;] )(\d+) ", line.group(1))
            self.assertIn("0", codes)
            told = self.page(name).partition(".SH EXIT STATUS")[2]
            self.assertEqual(sorted(re.findall(r"(?m)^\.TP\n\\fB(\d+)\\fR\n\S", told)), sorted(codes), name)

    def test_every_command_has_json(self):
        without = {name for name, text in self.helps.items() if "--json" not in text}
        self.assertLessEqual(without, {"bourn-consent-sign", "bourn-metrics", "bourn-serve", "bourn-witness"}, "these have a form of their own")

    def test_they_render(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        for file in sorted(os.listdir(self.man)):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", os.path.join(self.man, file)], capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""), file)
            plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout.decode())
            self.assertIn("NAME", plain)
            self.assertIn("EXIT STATUS", plain)

    def test_the_build_made_the_same(self):
        built = os.path.join(os.path.dirname(harness.BIN), "man", "man1")
        if not os.path.isdir(built):
            self.skipTest(f"no pages were built beside {harness.BIN}")
        for file in os.listdir(self.man):
            with open(os.path.join(built, file)) as ours, open(os.path.join(self.man, file)) as f:
                self.assertEqual(ours.read(), f.read(), file)

    def test_what_is_not_described_is_an_error(self):
        folder = os.path.join(self.tmp, "bin")
        os.mkdir(folder)
        for name, text in (("bourn", "#!/bin/sh\n[ $1 = --version ] && echo bourn 0 && exit\n[ $1 = act ] && printf 'bourn act "
                            "--odd X\\n  Acts.\\n' && exit\nprintf '  act    does\\nExit: 0 done.\\n'\n"),
                           ("bourn-verify", "#!/bin/sh\nprintf 'usage: bourn-verify\\nexit: 0 done\\n'\n")):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
            os.chmod(f.name, stat.S_IRWXU)
        done = subprocess.run([sys.executable, "-B", PAGES, folder, os.path.join(self.tmp, "out")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("bourn-act: --odd is not described", done.stderr)
        self.assertIn('bourn-act: no line "Exit: "', done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.tmp, "out")))

    def complete(self, *words, program="bourn"):
        """What Tab offers behind these words, the last of which is being typed."""
        script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bourn "$1"; '
                  '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", os.path.join(self.tmp, "completion", "bourn"), program, *words],
                              capture_output=True, text=True, cwd=self.tmp, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_completion(self):
        first = {name.split("-")[1] for name in self.helps} - {"verify"}
        self.assertEqual(set(self.complete("")), first | {"--help", "--version"})
        self.assertEqual(self.complete("exp"), ["export"])
        self.assertEqual(set(self.complete("party", "")), {"add", "end", "list", "webhook", "--help"})
        self.assertEqual(self.complete("import", "cn", "f", "--format", "n"), ["ndjson"])
        self.assertEqual(set(self.complete("party", "add", "--kind", "a")), {"app", "authority", "auditor"})
        self.assertEqual(self.complete("party", "add", "--jurisdiction", ""), [])
        self.assertEqual(set(self.complete("witness", "")) & {"init", "trust", "--help"}, {"init", "trust", "--help"})
        self.assertEqual(self.complete("witness", "init", "--na"), ["--name"])
        self.assertEqual(self.complete("witness", "w", "--lis"), ["--listen"])
        open(os.path.join(self.tmp, "rows.csv"), "w").close()
        self.assertEqual(self.complete("import", "cn", "row"), ["rows.csv"])
        self.assertEqual(self.complete("export", "cn", "A1", "--out", "row"), ["rows.csv"])
        self.assertEqual(self.complete("--key", "row", program="bourn-verify"), ["rows.csv"])
        for name, text in self.helps.items():
            words = name.split("-")[1:] if name != "bourn-verify" else []
            program = "bourn" if words else name
            for option in set(re.findall(r"--[a-z][a-z-]*", re.split(r"\n  [A-Z]", text)[0])):
                self.assertIn(option, self.complete(*words, option, program=program), f"{name} {option}")


if __name__ == "__main__":
    unittest.main(verbosity=2)

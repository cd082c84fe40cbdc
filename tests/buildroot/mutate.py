#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What each rule does with an ext4 that says the same in other words.

usage: mutate.py FORK RULES-DIR STOCK

For each rule, on top of those before it, the stock file is altered in three ways: all lines
are broken wherever that is possible; the variables that the rule knows by name are renamed;
what a place of its change hangs on moves into a helper (for each place).  Then the rule must
have been applied and its result be the same but for that alteration, or it must refuse the
kernel under its name.  What must not be is that it is left out without a word.

Prints a line "ok" or "not ok", a tab, what was tried, a tab, why not; last the line "end".
"""

import difflib
import importlib.machinery
import importlib.util
import re
import shutil
import sys
import tempfile
import types
from pathlib import Path

KEYWORDS = set("""auto bool break case char const continue default do double else enum extern
    false float for goto if inline int long register return short signed sizeof static struct
    switch true typedef union unsigned void volatile while size ssize""".split())
MOVED = "\text4_moved_elsewhere();\n"
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|\w+|\S')


def load(path):
    """The fork generator as a module."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("fork", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fork", loader))
    loader.exec_module(module)
    return module


def tokens(text):
    """The words of C source, without comments."""
    text = re.sub(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', lambda m: m[1] or " ", text,
                  flags=re.S)
    return TOKEN.findall(text)


def code_lines(text, change):
    """@text with @change made to each line of code; not in comments and directives."""
    out, comment, directive = [], False, False
    for line in text.splitlines(keepends=True):
        plain = not (comment or directive or line.startswith("#") or "/*" in line or '"' in line)
        comment = "/*" in line.rpartition("*/")[2] or (comment and "*/" not in line)
        directive = line.rstrip().endswith("\\") and (directive or line.startswith("#"))
        out.append(change(line) if plain else line)
    return "".join(out)


def break_lines(text):
    """@text with a line break after each comma and each operator within a function."""
    return code_lines(text, lambda line: re.sub(r"(?<=\S)(,| =| \|=| &&| \|\|| &) (?=\S)",
                                                r"\1\n\t\t", line)
                      if line.startswith("\t") else line)


def rename_variables(text, names, places):
    """@text where each variable of @names has another name in the definitions at @places, numbers
    of lines; members and types keep theirs."""
    word = re.compile(rf"(?<![\w.>])(?<!struct )(?<!enum )({'|'.join(names)})\b(?!\s*\()")
    lines = text.splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines) if line.startswith("}")]
    out, first = [], 0
    for last in [*ends, len(lines)]:
        part = "".join(lines[first:last + 1])
        if any(first <= place <= last for place in places):
            part = code_lines(part, lambda line: word.sub(r"\1_renamed", line))
        out.append(part)
        first = last + 1
    return "".join(out)


def places_of(before, after):
    """The numbers of the lines of @before, and of @after, where they differ."""
    old, new = [], []
    for tag, *range_ in difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(),
                                                False).get_opcodes():
        if tag != "equal":
            old.append(range_[0])
            new.append(range_[2])
    return old, new


def places_of_marks(fork, rule, text):
    """The numbers of the lines of @text where the functions that the marks name begin."""
    bodies = [fork.function_body(text, mark.where) for mark in rule.marks if mark.where != "*"]
    return [text[:text.index(body)].count("\n") + body.count("\n") for body in bodies]


def variables(rule, text):
    """The variables that @rule says by name, as far as @text has such words."""
    patch = re.sub(r"//[^\n]*", "", rule.path.read_text())
    words = set(re.findall(r"(?<![\w.>])(?<!struct )[a-z]\w*\b(?!\s*\()", patch)) - KEYWORDS
    return sorted(w for w in words & set(re.findall(r"\w+", text))
                  if not w.endswith("_t") and not w.startswith("ext4"))


def moved(before, after):
    """Texts: @before with what one place of the change to @after hangs on moved elsewhere."""
    code = re.compile(r"\s*[^\s*/]")
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, first, last, _, _ in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag == "insert":
            # The neighbours, whichever of them the rule goes by.
            while not code.match(old[first - 1]):
                first -= 1
            while not code.match(old[last]):
                last += 1
            yield "".join(old[:first - 1] + [MOVED] + old[last + 1:])
        elif tag != "equal":
            yield "".join(old[:first] + [MOVED] + old[last:])


def moved_marks(fork, rule, text):
    """Texts: @text, where the change is there, with what one mark finds moved elsewhere."""
    for mark in rule.marks:
        if mark.where == "*":
            pattern = mark.pattern.pattern.replace(" ", r"\s+")
            yield re.sub(pattern, "ext4_moved_elsewhere();", text)
            continue
        body = fork.function_body(text, mark.where)
        code = " ".join(fork.strip_comments(body).split())
        code = mark.pattern.sub("ext4_moved_elsewhere();", code)
        code = re.sub(r"([;{}]) ", r"\1\n\t", code).replace(") {", ")\n{", 1)
        yield text.replace(body, code[:-1].rstrip() + "\n}")


class Judge:
    """Tries one rule on texts of its file."""

    def __init__(self, fork, rule, kernel, folder):
        self.fork, self.rule, self.kernel, self.folder = fork, rule, kernel, folder

    def apply(self, text):
        """(what the rule says of @text, the result)."""
        target = self.folder / self.rule.file
        target.write_text(text)
        try:
            said = self.rule.apply(self.kernel, self.folder)
            if hasattr(self.rule, "check"):
                self.rule.check(self.kernel, self.folder)
        except (self.fork.Unservable, SystemExit) as why:
            return f"refused: {why}", None
        return said, target.read_text()

    def report(self, what, said, good):
        """One line of the report."""
        named = f"rule '{self.rule.name}'" in said
        good = named if said.startswith("refused: ") else good
        words = ' '.join(said.split())
        print(f"{'ok' if good else 'not ok'}\trule {self.rule.name}, {what}\t{words}", flush=True)

    def same_words(self, what, text, wanted, there):
        """@text must be refused, or become @wanted; @there: the change was there already."""
        said, result = self.apply(text)
        good = result is not None and tokens(result) == tokens(wanted)
        self.report(what, said, good and (there or said != "already there"))

    def judge(self, before):
        """All that is tried; returns the file with the rule applied."""
        said, after = self.apply(before)
        if after is None:
            sys.exit(f"mutate.py: {said}")
        if said.startswith("not needed"):
            return after
        there = said == "already there"
        text = break_lines(before)
        if text == before:
            sys.exit(f"mutate.py: no line of {self.rule.file} can be broken")
        self.same_words("lines broken", text, after, there)
        old, new = places_of(before, after)
        if there:
            old = new = places_of_marks(self.fork, self.rule, before)
        names = variables(self.rule, before)
        text = names and rename_variables(before, names, old)
        if names and text != before:
            self.same_words(f"renamed: {' '.join(names)}", text,
                            rename_variables(after, names, new), there)
        texts = (moved_marks(self.fork, self.rule, before) if there else moved(before, after))
        for number, text in enumerate(texts, 1):
            said, _ = self.apply(text)
            self.report(f"place {number} moved into a helper", said,
                        there and said != "already there")
        return after


def main():
    """The program."""
    fork = load(sys.argv[1])
    rules = [fork.Rule(path) for kind in ("identity", "rules")
             for path in sorted((Path(sys.argv[2]) / kind).glob("*.cocci"))]
    release = fork.makefile_release(Path(sys.argv[3]) / "Makefile")
    kernel = types.SimpleNamespace(kver="mutated", release=release)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {}
        for rule in rules:
            if rule.file not in files:
                shutil.copy(Path(sys.argv[3]) / "fs/ext4" / rule.file, folder)
                files[rule.file] = (folder / rule.file).read_text()
            files[rule.file] = Judge(fork, rule, kernel, folder).judge(files[rule.file])
    print("end")


main()

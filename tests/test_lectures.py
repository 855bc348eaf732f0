"""The lectures: derivations are short and tested, and each chapter says what to remember."""

import ast
import re

import pytest

from tests.test_house import DERIVATION, PACKAGE, ROOT, SPINE, exists, ids, tree


def test_every_derivation_is_short_and_names_the_tests_that_check_it():
    """At most 30 lines, in a docstring, and ended by tests that exist; of each of the nine topics
    there is at least one."""
    found = {}
    for path in PACKAGE:
        text = path.read_text(encoding="utf-8")
        if "Derivation: " in text:
            matches = [m[0] for m in DERIVATION.finditer(text)]
            assert len(matches) == len(re.findall("^ *Derivation: ", text, re.M)), path
            found[ids(path)] = matches
    for match in sum(found.values(), []):
        assert len(match.splitlines()) <= 30, match
        assert all(map(exists, re.findall(r"^ +(test_.*)$", match, re.M))), match
    assert {f"minidiff/{name}.py" for name in (
        "theory/schedule", "theory/diffusion", "theory/samplers", "theory/solvers",
        "theory/guidance", "theory/flow", "theory/velocity", "editing/views", "editing/illusions",
        "editing/inpainting", "network/blocks", "models/model")} == found.keys()


@pytest.mark.parametrize("name", [name for name in SPINE if not name.endswith("blocks.py")])
def test_a_chapter_says_what_to_remember_in_two_sentences(name):
    """One paragraph, "Remember: ...", in each chapter, in that of two files in the second."""
    lecture = ast.get_docstring(tree(ROOT / name))
    texts = re.findall(r"^Remember: (.*?)\n\n", lecture, re.M | re.S)
    assert len(texts) == 1 and len(re.findall(r"[.!?](?=\s|$)", texts[0])) == 2, texts

"""Candidates for provers of other languages that assume, hide or change something."""

from __future__ import annotations

from pathlib import Path

import pytest

from certune.tasks.code.provers.known import PROVERS
from certune.tasks.code.provers.protocol import examine

DATA = Path(__file__).parents[1] / "data" / "provers"
C = (DATA / "count.c").read_text()
DFY = (DATA / "largest.dfy").read_text()
RS = (DATA / "count.rs").read_text()


def finding(prover: str, program: str, old: str, new: str):
    assert program.count(old) >= 1, old
    assert examine(PROVERS[prover], program, program.encode()) is None
    return examine(PROVERS[prover], program, program.replace(old, new, 1).encode())


INVARIANT = "loop invariant 0 <= i <= n;"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (INVARIANT, INVARIANT + " admit loop invariant \\false;", "assumption"),
        ("    i = i + 1;", "    //@ admit \\false;\n    i = i + 1;", "assumption"),
        ("    i = i + 1;", "    /*@ axiomatic A { axiom a: \\false; } */ i = i + 1;", "assumption"),
        ("/*@ requires", "/*@ axiomatic A { axiom a: \\false; } */\n/*@ requires", "assumption"),
        ("/*@ requires", "/*@ lemma easy: \\false; */\n/*@ requires", "program"),
        ("    i = i + 1;", "    //@ ghost i = n;\n    i = i + 1;", "assumption"),
        ("    i = i + 1;", "    //@ requires \\false;\n    i = i + 1;", "assumption"),
        ("    i = i + 1;", "    i = i + 2;", "program"),
        ("\\result == n", "\\true", "program"),
        ("0 <= n <= 1000", "0 <= n <= 1", "program"),
        ("loop variant n - i;", "", "termination"),
        ("loop variant n - i;", "loop variant n - i for R;", "assumption"),
        ("#include <stdint.h>", '#include "/etc/passwd"', "include"),
        ("#include <stdint.h>", "#include <stdint.h>\n#include <stdlib.h>", "include"),
        ("#include <stdint.h>", "#include <stdint.h>\n#define while if", "language"),
        ("#include <stdint.h>", "#include <stdint.h>\n#define i 0", "program"),
        ("#include <stdint.h>", "#include <stdint.h>\n#pragma x", "language"),
        ("#include <stdint.h>", "#include <stdint.h>\n%:define n 0", "program"),
        ("  int i = 0;", "  int i = 0; // \\\n  i = n;", "language"),
        ("  int i = 0;", "  int i = 0; // ??/\n", "language"),
        ("  int i = 0;", "  int i = 0; /* /*@ x */", "language"),
        ("  int i = 0;", '  int i = 0; asm("");', "assumption"),
        ("  int i = 0;", "  int i = 0; goto end;", "assumption"),
        ("  int i = 0;", "  int i = 0; count(n);", "recursion"),
        ("  int i = 0;", "  int і = 0;", "unicode"),
        ("  int i = 0;", "  int i = 0;\x00", "language"),
        ("  int i = 0;", "  int i = 0;\r", "language"),
    ],
)
def test_c(old: str, new: str, reason: str):
    found = finding("frama-c", C, old, new)
    assert found is not None
    assert found.reason == reason, found


BODY = "  m := a[0];"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (BODY, "  assume false;\n" + BODY, "assumption"),
        (BODY, "  expect false;\n" + BODY, "assumption"),
        (BODY, "  assert {:axiom} false;\n" + BODY, "assumption"),
        ("method Max", "method {:verify false} Max", "assumption"),
        ("method Max", "method { :verify false } Max", "assumption"),
        ("method Max", "method {:/* */verify false} Max", "assumption"),
        ("method Max", "method {:extern} Max", "assumption"),
        ("method Max", "@Verify(false) method Max", "assumption"),
        ("method Max", 'include "other.dfy"\nmethod Max', "assumption"),
        ("method Max", "lemma All() ensures false\nmethod Max", "assumption"),
        ("method Max", "lemma {:axiom} All() ensures false\nmethod Max", "assumption"),
        ("method Max", "lemma All() ensures false codatatype X = Y\nmethod Max", "assumption"),
        ("method Max", "function Any(): int ensures false\nmethod Max", "assumption"),
        ("method Max", "import opened Other\nmethod Max", "assumption"),
        ("method Max", "module M { }\nmethod Max", "assumption"),
        ("ensures F(x) == 0 { }", "ensures F(x) == 0 { forall y | y > 0 ensures false; }", "x"),
        ("ensures F(x) == 0 { }", "ensures F(x) == 0 { while true invariant F(x) == 0 }", "x"),
        ("ensures F(x) == 0 { }", "ensures F(x) == 0 { forall y | y in {1} ensures false; }", "x"),
        (
            "ensures F(x) == 0 { }",
            "ensures F(x) == 0 { forall (y | (exists z :: z == y)) ensures false; }",
            "x",
        ),
        ("ensures F(x) == 0 { }", "ensures F(x) == 0 { while true if true { } }", "x"),
        (
            "ensures F(x) == 0 { }",
            "ensures F(x) == 0 { while true invariant true if true { } }",
            "x",
        ),
        (
            "ensures F(x) == 0 { }",
            "ensures F(x) == 0 { while true invariant true var q := {1}; }",
            "x",
        ),
        (
            "ensures F(x) == 0 { }",
            "ensures F(x) == 0 { for z := 0 to 1 invariant true if true { } }",
            "x",
        ),
        (
            "ensures F(x) == 0 { }",
            "ensures F(x) == 0 { while true invariant true forall q | q in {1} { } }",
            "x",
        ),
        (
            "ensures F(x) == 0 { }",
            "ensures F(x) == 0 { while true invariant true match x { } }",
            "x",
        ),
        ("(x: nat) ensures F(x) == 0 { }", "(to: int) { while to == to if true { } }", "x"),
        ("(x: nat) ensures F(x) == 0 { }", "(is: bool) { while is if true { } }", "x"),
        ("(x: nat) ensures F(x) == 0 { }", "(trigger: bool) { while trigger if true { } }", "x"),
        ("  while i < a.Length", "  while i < a.Length decreases *", "termination"),
        ("  {\n    if a[i]", "  if true {\n    if a[i]", "x"),
        ("  {\n    if a[i]", "  forall z | z == 1 {\n    if a[i]", "x"),
        ("  {\n    if a[i]", "  while true {\n    if a[i]", "x"),
        ("    i := i + 1;", "    i := i + 2;", "program"),
        ("ensures exists k", "ensures true || exists k", "program"),
        ("requires a.Length > 0", "requires false", "program"),
        ("  requires a.Length > 0", "  requires a.Length > 0\n  decreases *", "termination"),
        (BODY, BODY + "\n  ghost var i := 0;", "x"),
        (BODY, BODY + "\n  ghost var g := Max(a);", "program"),
        (BODY, BODY + "\n  ghost var g := 0; m := g;", "program"),
        (BODY, BODY + "\n  L(3)", "program"),
        (BODY, BODY + " /* /* */ */", "language"),
        (BODY, BODY + '\n  assert "*/ assume', "x"),
    ],
)
def test_dafny(old: str, new: str, reason: str):
    found = finding("dafny", DFY, old, new)
    assert found is not None
    assert reason == "x" or found.reason == reason, found


COUNT = "fn count(n"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    i\n", "    assume(false);\n    i\n", "assumption"),
        ("    i\n", "    proof { admit(); }\n    i\n", "assumption"),
        ("    i\n", "    proof { assume_new(); }\n    i\n", "assumption"),
        ("    i\n", "    proof { r#assume(false); }\n    i\n", "language"),
        ("fn main", "use vstd::pervasive::admit as fine;\nfn main", "assumption"),
        (COUNT, "#[verifier::external_body]\n" + COUNT, "assumption"),
        (COUNT, "#[verifier::external]\n" + COUNT, "assumption"),
        (COUNT, "#[verifier(external_body)]\n" + COUNT, "assumption"),
        (COUNT, "#[verifier::exec_allows_no_decreases_clause]\n" + COUNT, "assumption"),
        (COUNT, "#[cfg(any())]\n" + COUNT, "assumption"),
        ("fn main", "assume_specification[f](x: u8);\nfn main", "assumption"),
        ("fn main", "axiom fn f() ensures false;\nfn main", "assumption"),
        ("fn main", "macro_rules! m { () => {} }\nfn main", "assumption"),
        ("fn main", 'include!("x.rs");\nfn main', "assumption"),
        ("fn main", "mod other;\nfn main", "assumption"),
        ("fn main", "trait T { proof fn f() ensures false; }\nfn main", "assumption"),
        ("proof fn shown", "broadcast proof fn shown", "assumption"),
        ("proof fn shown", "uninterp spec fn shown", "assumption"),
        ("    i\n", "    unsafe { i }\n", "assumption"),
        ("        decreases n - i,\n", "", "termination"),
        ("ensures r == n", "ensures true", "program"),
        ("requires n <= 1000", "requires false", "program"),
        ("i = i + 1", "i = i + 2", "program"),
        ("(n: u32)", "(n: u64)", "program"),
        ("    i\n", "    return i;\n", "program"),
        ("    i\n", "    /* /* */ i */\n", "language"),
    ],
)
def test_verus(old: str, new: str, reason: str):
    found = finding("verus", RS, old, new)
    assert found is not None
    assert found.reason == reason, found


@pytest.mark.parametrize(
    ("prover", "program", "old", "new"),
    [
        ("frama-c", C, "  int i = 0;", "  int i = 0; /* admit axiom goto */ //@ assert i == 0;"),
        ("frama-c", C, "    i = i + 1;", "    //@ assert i < n;\n    i = i + 1;"),
        ("dafny", DFY, BODY, BODY + " // assume false; {:axiom}"),
        ("dafny", DFY, BODY, "  assert a.Length >= 1;\n" + BODY + "\n  L(3);"),
        ("dafny", DFY, BODY, "  ghost var g := 0;\n  g := g + 1;\n" + BODY),
        ("dafny", DFY, "lemma L", "lemma M() ensures 1 in {1, 2} { }\nlemma L"),
        ("dafny", DFY, "    invariant 1 <=", "    decreases a.Length - i\n    invariant 1 <="),
        (
            "dafny",
            DFY,
            "    invariant 1 <=",
            "    invariant m in {m, 3} && i in {i}\n invariant 1 <=",
        ),
        ("dafny", DFY, "invariant forall k ::", "invariant forall k {:trigger a[k]} ::"),
        ("frama-c", C, "/*@ loop invariant 0 <= i <= n;", "/*@ loop invariant 0 <= i <= n;\n  @"),
        ("verus", RS, "    i\n", "    proof { assert(i == n); }\n    i // admit()\n"),
        ("verus", RS, "    i\n", "    let ghost g = n;\n    assert(g == i) by { };\n    i\n"),
        ("verus", RS, "proof fn shown", "proof fn more() ensures true { }\nproof fn shown"),
        ("verus", RS, "            n <= 1000,\n", ""),
    ],
)
def test_annotations_and_words_in_comments_are_fine(prover: str, program: str, old: str, new: str):
    assert finding(prover, program, old, new) is None


@pytest.mark.parametrize("prover", sorted(PROVERS))
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{" * 100_000,
        b"(" * 100_000,
        b"/*",
        b"/*@",
        b'"',
        b"'",
        b"@",
        b"fn",
        b"lemma",
        b"method {",
        b"forall forall",
        b"proof fn",
        b"calc",
        b"ghost var",
        b"x{assert by",
        b"a" * 300_000,
        b"while " * 20_000,
        b"/*" * 90_000,
        b"r" + b"#" * 100_000,
        b"/* " * 60_000,
        b"#\n" * 90_000,
        b"fn a " * 40_000,
        b"forall a " * 20_000 + b"::",
        b"while a " * 20_000 + b"{}",
        b'r#" ' * 40_000,
        b"; calc" * 30_000,
    ],
)
def test_hostile_bytes_are_refused_without_a_traceback(prover: str, data: bytes):
    program = {"frama-c": C, "dafny": DFY, "verus": RS}[prover]
    assert examine(PROVERS[prover], program, data) is not None

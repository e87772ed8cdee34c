#!/usr/bin/python3
"""The `mobilenet selftest` command on this machine; test_selftest.c has the tables that are broken.

usage: selftest.py MOBILENET [unittest's arguments]"""

import re

from case import Case, main

FAMILIES = ["convolution", "depthwise", "elementwise", "layout", "pointwise", "pool", "softmax"]


class Selftest(Case):
    def test_report(self):
        """Every table that this machine can run has a column, with a figure in each row, and the model a row."""
        report = self.succeed("selftest", self.init("mobilenet_v3_small"))
        info = self.succeed("info")
        self.assertTrue(report.startswith(info))
        self.assertRegex(report, r"(?m)^System: \S+ \S+, \S+$")
        self.assertRegex(report, r"(?m)^Compiler: .*(GCC|[Cc]lang) .*\d")
        self.assertTrue(report.endswith("\nAll as it should be.\n"))
        self.assertNotIn("FAILED", report)
        usable = re.search(r"(?m)^  usable +(.*)$", info)[1].split(", ")
        seen = set()
        for element in "f32", "bf16", "q8":
            tables, rows = re.search(rf"(?m)^  {element} +(\S.*)\n((?:    .*\n)+)", report).groups()
            tables = tables.split()
            self.assertEqual(tables[0], "scalar")
            seen |= set(tables)
            rows = dict(re.findall(r"(?m)^    ([a-z ]{13}) +(\S.*)$", rows))
            rows = {name.strip(): row.split() for name, row in rows.items()}
            self.assertEqual({len(row) for row in rows.values()}, {len(tables)})
            self.assertGreater(min(map(int, rows.pop("checks"))), 100)
            self.assertLessEqual(set(FAMILIES), set(rows))
            for name, row in rows.items():
                alike = element == "q8" and name != "softmax"
                for figure in row:
                    if alike or name == "layout":
                        self.assertEqual(figure, "same" if alike else "exact")
                    else:
                        self.assertLessEqual(float(figure), 1)
            if element != "q8":
                model = re.findall(rf"(?m)^  {element} +(\S+) +\S", report.split("\nModel of ")[1])
                self.assertEqual(model, tables)
        self.assertEqual(seen, set(usable))

    def test_without_its_model(self):
        self.fail_with(2, "too many arguments: 'b'", "selftest", "a", "b")
        self.fail_with(1, "none.safetensors: ", "selftest", "none.safetensors")

    def test_info_tells_why_not(self):
        """What is built and not usable, this CPU or its system lacks."""
        info = self.succeed("info")
        built, usable = (
            set(re.search(rf"(?m)^  {name} +(.*)$", info)[1].split(", ")) for name in ("built in", "usable")
        )
        why = dict(re.findall(r"(?m)^  (missing|unusable) +(.*): ", info))
        lacking = {isa for names in why.values() for isa in names.split(", ")}
        self.assertEqual(lacking, built - usable)


if __name__ == "__main__":
    main()

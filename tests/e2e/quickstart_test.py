"""deploy/quickstart.sh keeps what it promises: its table is read and held against the promise."""

import csv
import os
import subprocess
import tempfile
import unittest

import service

MINUTES = 60  # far above what is needed, so that slow machines pass


class QuickstartTest(unittest.TestCase):
    def test_table(self):
        with tempfile.TemporaryDirectory(prefix="quantry-quickstart-") as folder:
            subprocess.run([service.ROOT / "deploy/quickstart.sh", "--dir", folder],
                           check=True, timeout=MINUTES * 60, stdin=subprocess.DEVNULL)
            with open(os.path.join(folder, "table.tsv"), encoding="utf-8") as file:
                rows = {row["run"]: row for row in csv.DictReader(file, delimiter="\t")}
        top1 = {run: float(row["top-1 %"]) for run, row in rows.items()}
        kilobytes = {run: float(row["file kB"]) for run, row in rows.items()}
        self.assertGreaterEqual(top1["W8A8 QAT"], top1["Float"] - 0.5)
        for qat in ("W4A4 QAT", "W4A4 QAT PACT"):
            self.assertGreaterEqual(top1[qat], top1["Float"] - 3)
            self.assertGreaterEqual(top1[qat], top1["W4A4 PTQ"] + 10)
        for run in set(rows) - {"Float"}:
            self.assertLessEqual(kilobytes[run], 0.30 * kilobytes["Float"], run)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""`silica report` and `silica compare`."""
import base64
import hashlib
import html.parser
import json
import re
import unittest

from helpers import ProgramTest, main, run

SAMPLES = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09]
HOSTILE = "</title></td><script>alert(1)</script><img src=http://evil.example/x onerror='alert(1)'>\u202e|"


def row(model="bert-tiny", hardware="cpu", simulated=False, precision="float32", times=1.0, weights="checkpoint", **more):
    samples = [round(times * s, 4) for s in SAMPLES]
    return {"engine": "silica", "served": True, "model": model, "family": "bert", "task": "embed", "device": hardware,
            "hardware": hardware + (" (simulated)" if simulated else ""), "simulated": simulated, "precision": precision,
            "threads": 2, "batch_size": 1, "prompt_tokens": 8, "weights": weights,
            "loader": "mapped" if weights == "checkpoint" else None, "versions": {"silica": "0.1.0"},
            "samples_ms": samples, "median_ms": 1.045 * times, "min_ms": times, "p90_ms": 1.08 * times,
            "items_per_s": 956.9 / times, "weights_mb": 16.7, "load_s": 0.02, "load_peak_rss_mb": 150.5,
            "peak_rss_mb": 180.5, "fallbacks": [], **more}


class Page(html.parser.HTMLParser):
    """Elements in their order, and the texts of cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.cells, self.scripts, self.styles = [], [], [], [], []
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag in ("td", "th", "tr", "table"):
            self.inside = tag
            if tag == "td":
                self.cells.append("")
        if tag in ("script", "style"):
            self.inside = tag
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_endtag(self, tag):
        if tag in ("script", "style", "table"):
            self.inside = None

    def handle_data(self, data):
        if self.inside == "td":
            self.cells[-1] += data
        elif self.inside in ("script", "style"):
            (self.scripts if self.inside == "script" else self.styles)[-1] += data


class ReportTest(ProgramTest):
    def rows(self, name, *rows, **document):
        path = self.directory / name
        path.write_text(json.dumps({"engine": "silica", "rows": list(rows), "machine": {"chip": "A", "cores": 2}, **document}))
        return path

    def page(self, *args, **kw):
        return self.done("report", *args, **kw).stdout


class Reports(ReportTest):
    def test_a_page_needs_nothing_else(self):
        text = self.page(self.rows("a.json", row(), row(precision="bfloat16", times=0.7), row("other", weights="random")))
        page = Page(text)
        self.assertTrue(text.startswith("<!DOCTYPE html>"))
        for name, value in page.attributes:
            self.assertNotIn(name, ("src", "srcset", "action", "data", "style", "background"))
            self.assertFalse(name.startswith("on"), name)
            if name == "href":
                self.assertTrue(value.startswith("#"), value)
        self.assertNotIn("://", text)
        self.assertNotRegex(text, r"@import|url\((?!#h\d\))")
        policy = next(v for _, v in page.attributes if v and v.startswith("default-src 'none'"))
        # After a change of page.cpp these are what its hashes must be.
        for kind, sources in (("script", page.scripts), ("style", page.styles)):
            self.assertEqual(len(sources), 1)
            digest = base64.b64encode(hashlib.sha256(sources[0].encode()).digest()).decode()
            self.assertIn(f"{kind}-src 'sha256-{digest}'", policy)
        self.assertGreater(page.tags.count("svg"), 3)
        self.assertEqual(page.tags.count("title") - 1, page.tags.count("desc"))
        identifiers = [v for name, v in page.attributes if name == "id"]
        self.assertEqual(len(identifiers), len(set(identifiers)))

    def test_hostile_names_are_text(self):
        bad = row(HOSTILE, precision=HOSTILE, task=HOSTILE, family=HOSTILE, loader=HOSTILE, notes=[HOSTILE])
        failed = {**row(HOSTILE, family=HOSTILE), "served": False, "reason": HOSTILE}
        path = self.rows("a.json", bad, failed, machine={"chip": HOSTILE, HOSTILE: HOSTILE})
        page = Page(self.page(path))
        self.assertEqual(page.tags.count("script"), 1)
        self.assertNotIn("img", page.tags)
        self.assertTrue(any("<script>alert(1)</script>" in cell for cell in page.cells))
        self.assertNotRegex(self.page(path, "--output", "md"), r"(?<!\\)<")

    def test_every_number_of_a_simulated_row_is_marked(self):
        fallback = {"op": "gelu", "from": "mps", "to": "cpu", "reason": "no_kernel", "count": 120, "bytes": 4096,
                    "ms": 2.5, "share": 0.25}
        simulated = [row(hardware="mps", simulated=True, precision=p, fallbacks=[fallback]) for p in ("float32", "float16")]
        path = self.rows("a.json", *simulated)
        # All tables of Markdown but those that count rows: each number has its mark.
        table, seen = None, 0
        for line in self.page(path, "--output", "md").splitlines():
            if line.startswith("## "):
                section = line[3:]
            if not line.startswith("|"):
                table = None
                continue
            cells = [c.strip() for c in line.strip("|").split(" |")]
            if table is None:
                table = cells
                continue
            if section in ("Summary", "What runs where") or line.startswith("|---"):
                continue
            for heading, cell in zip(table, cells):
                if heading in ("batch", "samples", "rows") or not re.match(r"^[\d.]+( to |x| %| \(|$)", cell):
                    continue
                self.assertTrue(cell.endswith("(S)"), f"{section}: {heading}: {cell}")
                seen += 1
        self.assertGreater(seen, 20)
        text = self.page(path)
        values = re.findall(r'<text class="value"[^>]*>([^<]*)</text>', text)
        self.assertTrue(values and all(v.endswith("(S)") for v in values), values)
        labels = re.findall(r'<text class="label"[^>]*>([^<]*)</text>', text)
        self.assertTrue(labels and all("simulated" in v for v in labels), labels)
        for bar in re.findall(r'<(?:rect|circle) class="c\d"[^>]*>', text.split("<main>")[1]):
            self.assertIn('fill="url(#h', bar)
        document = json.loads(self.page(path, "--output", "json"))
        self.assertTrue(all(r["simulated"] and "simulated" in r["marks"] for r in document["rows"]))
        self.assertTrue(all(r["simulated"] for r in document["precisions"]))
        self.assertEqual(document["speedups"], [])

    def test_json_has_what_the_page_has(self):
        a = self.rows("a.json", row(), row(hardware="cuda", times=0.1), {**row("gone"), "served": False,
                                                                        "available": False, "reason": "no driver"})
        document = json.loads(self.page(a, "--output", "json"))
        self.assertEqual((document["kind"], document["schema"]), ("report", 1))
        self.assertEqual(len(document["rows"]), 3)
        self.assertEqual(len(document["speedups"]), 1)
        self.assertAlmostEqual(document["speedups"][0]["times_as_fast"], 10, delta=0.1)
        by_model = {r["model"]: r for r in document["rows"]}
        self.assertEqual(by_model["gone"]["state"], "unavailable")
        self.assertEqual(by_model["bert-tiny"]["weights"], "checkpoint")
        self.assertTrue(any(c["family"] == "bert" and c["hardware"] == "cpu" and c["support"] == "native"
                            for c in document["support"]))

    def test_reports_go_to_a_file(self):
        path = self.directory / "report.html"
        process = self.done("report", self.rows("a.json", row()), "--to", path)
        self.assertEqual(process.stdout, "")
        self.assertIn("report.html", process.stderr)
        self.assertTrue(path.read_text().endswith("</html>\n"))

    def test_a_store_of_another_process(self):
        # Needs Python's own SQLite; without it the store is left to the tests in C++.
        try:
            import sqlite3
        except ImportError:
            self.skipTest("Python without sqlite3")
        path = self.directory / "runs.sqlite"
        db = sqlite3.connect(path)
        db.executescript(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, started TEXT NOT NULL, finished "
            "TEXT NOT NULL, command TEXT NOT NULL, shard TEXT NOT NULL, origin TEXT NOT NULL, machine TEXT NOT NULL, "
            "versions TEXT NOT NULL, conditions TEXT NOT NULL);"
            "CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs (id) ON DELETE "
            "CASCADE, key TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, row TEXT NOT NULL, samples_ms TEXT NOT "
            "NULL, marks TEXT NOT NULL, job TEXT NOT NULL);"
            f"PRAGMA application_id = {0x53494c43}; PRAGMA user_version = 1;")
        for number, times in ((1, 1.0), (2, 1.4)):
            db.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?)",
                       (number, f"night{number}", f"2026-11-0{number}T00:00:00Z", "", "silica bench", "", "", '{"chip":"A"}',
                        "{}", "{}"))
            db.execute("INSERT INTO rows (run, key, state, reason, row, samples_ms, marks, job) VALUES (?,?,?,?,?,?,?,?)",
                       (number, "k", "measured", "", json.dumps(row(times=times)), json.dumps([times * s for s in SAMPLES]),
                        '["noisy"]', "{}"))
        db.commit()
        db.close()
        text = self.page("--store", path, "--output", "md")
        self.assertIn("1 slower, 0 faster", text)
        self.assertIn("noisy", text)
        self.assertIn("| night1 (run 1) | night2 (run 2) |", text)
        self.assertIn("There is no earlier run", self.page("night1", "--store", path, "--output", "md"))
        self.assertEqual(run("compare", "night1", "2", "--store", path).returncode, 1)
        self.assertEqual(run("compare", "2", "1", "--store", path).returncode, 0)
        self.refused("report", "3", "--store", path)
        self.refused("report", "absent", "--store", path, says="absent")

    def test_wrong_arguments_of_report(self):
        a = self.rows("a.json", row())
        self.refused("report", a, "--output", "pdf", says="pdf")
        self.refused("report", a, "--bound", "much", says="--bound")
        self.refused("report", self.directory / "absent.json", says="absent.json")
        self.refused("report", "--store", self.directory / "absent.sqlite", says="absent.sqlite")
        self.refused("report", a, "--to", self.directory / "no" / "r.html", says="no")
        (self.directory / "b.json").write_text("{}")
        self.refused("report", self.directory / "b.json", says="b.json")


class Comparisons(ReportTest):
    def compare(self, a, b, *args, code):
        process = run("compare", self.rows("a.json", *a), self.rows("b.json", *b), *args)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stdout

    def test_exit_codes(self):
        self.assertIn("1 the same", self.compare([row()], [row()], code=0))
        self.assertIn("1 slower", self.compare([row()], [row(times=1.3)], code=1))
        self.assertIn("1 faster", self.compare([row()], [row(times=0.7)], code=0))
        self.compare([row()], [row(times=1.3)], "--bound", "50%", code=0)
        self.compare([row()], [row(times=1.3)], "--bound", "0.1", code=1)

    def test_simulated_rows_never_count(self):
        text = self.compare([row(hardware="mps", simulated=True), row()],
                            [row(hardware="mps", simulated=True, times=9), row()], code=0)
        self.assertIn("1 simulated", text)
        self.assertIn("(S)", text)

    def test_rows_of_one_side_are_listed(self):
        text = self.compare([row(), row("old")], [row(), row("new")], code=0)
        self.assertRegex(text, r"Only in A\n.*\nold,")
        self.assertRegex(text, r"Only in B\n.*\nnew,")

    def test_other_machines_and_versions_are_said(self):
        a = self.rows("a.json", row())
        b = self.rows("b.json", row(versions={"silica": "0.2.0"}), machine={"chip": "B", "cores": 2})
        text = self.done("compare", a, b).stdout
        self.assertIn("chip A, now B", text)
        self.assertIn("silica 0.1.0, now 0.2.0", text)

    def test_outputs(self):
        a, b = self.rows("a.json", row()), self.rows("b.json", row(times=1.3))
        document = json.loads(run("compare", a, b, "--output", "json").stdout)
        self.assertEqual((document["slower"], document["rows"][0]["verdict"]), (1, "slower"))
        self.assertGreater(document["rows"][0]["ratio_interval"][0], 1.05)
        self.assertIn("| row |", run("compare", a, b, "--output", "md").stdout)

    def test_bad_input(self):
        a = self.rows("a.json", row())
        self.refused("compare", a, self.directory / "absent.json", says="absent.json")
        self.refused("compare", a, self.rows("b.json", row("other")), says="no measured row in common")
        self.refused("compare", a, a, "--bound", "-1", says="--bound")
        self.refused("compare", a, a, "--output", "html")
        self.refused("compare", a)


if __name__ == "__main__":
    main()

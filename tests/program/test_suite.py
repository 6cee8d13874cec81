"""`silica bench` as a suite, a process for each row, and `silica runs`."""
import json
import os
import pty
import random
import select
import signal
import subprocess
import time
import unittest

from helpers import BASE, PROGRAM, ProgramTest, SIMULATED, last_json, main, run

TINY = ("--hardware", "cpu", "--iterations", "2", "--warmup", "1", "--threads", "1", "--prompt-tokens", "4")


class Suite(ProgramTest):
    def setUp(self):
        super().setUp()
        self.store = self.directory / "runs.sqlite"

    def bench(self, *args):
        return ("bench", "--store", self.store, *args)

    def runs(self, *args):
        return self.done("runs", *args, "--store", self.store)

    def export(self, run_id="last"):
        return last_json(self.runs("--export", run_id))

    def start(self, *args, program=None, env=None, **kw):
        environment = {**os.environ, "HF_HUB_CACHE": "/nonexistent-hub-cache", **(env or {})}
        return subprocess.Popen([str(program or PROGRAM), *map(str, args)], text=True, env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


class Runs(Suite):
    def test_a_run_is_kept_listed_shown_exported_imported_and_deleted(self):
        process = self.done(*self.bench("--model", BASE, *TINY, "--batch-size", "1,2", "--name", "mine", "--output", "json"))
        self.assertIn("stored as run 1; its report: silica report 1 --store", process.stderr)
        rows = last_json(process)["rows"]
        listed = last_json(self.runs("--output", "json"))["runs"]
        self.assertEqual([(r["id"], r["name"], r["rows"], r["origin"]) for r in listed], [(1, "mine", {"measured": 2}, "")])
        self.assertTrue(listed[0]["finished"] >= listed[0]["started"] > "2026")
        self.assertIn("--name mine", listed[0]["command"])
        self.assertIn("mine", self.runs().stdout)
        self.assertIn("2 measured", self.runs("list").stdout)
        self.assertIn("base|embed|cpu|float32|mapped|2|prompt_tokens=4|0", self.runs("show", "mine").stdout)
        document = self.export()
        self.assertEqual((document["format"], document["version"], document["run"]["name"]), ("silica-run", 1, "mine"))
        self.assertIn("load", document["run"]["conditions"]["start"])
        self.assertIn("load", document["run"]["conditions"]["end"])
        for kept, printed in zip(document["rows"], rows):
            self.assertEqual(kept["row"], printed)
            self.assertEqual([round(ms, 3) for ms in kept["samples_ms"]], printed["samples_ms"])
            self.assertEqual((kept["state"], kept["reason"]), ("measured", ""))
            self.assertGreater(kept["seconds"], 0)
        (self.directory / "export.json").write_text(json.dumps(document))
        (self.directory / "bench.json").write_text(process.stdout)
        self.assertIn("imported as run 2: 2 rows", self.runs("--import", self.directory / "export.json").stdout)
        self.assertIn("imported as run 3: 2 rows", self.runs("--import", self.directory / "bench.json").stdout)
        again, printed = self.export("2"), self.export("bench")
        self.assertEqual((again["rows"], again["run"]["origin"]), (document["rows"], "export.json"))
        self.assertEqual([r["key"] for r in printed["rows"]], [r["key"] for r in document["rows"]])
        self.assertEqual(printed["run"]["machine"], document["run"]["machine"])
        self.assertIn("deleted run 2", self.runs("delete", "2", "3").stdout)
        self.assertEqual(len(last_json(self.runs("--output", "json"))["runs"]), 1)

    def test_what_is_wrong_is_refused(self):
        store = ("--store", self.store)
        self.refused("runs", *store, says="There is no store of runs")
        self.done(*self.bench("--model", BASE, *TINY))
        self.refused("runs", "lst", *store, says="did you mean list?")
        self.refused("runs", "show", *store, says="needs a run")
        self.refused("runs", "show", "7", *store, says="There is no run '7'")
        self.refused("runs", "delete", "1", "7", *store, says="There is no run '7'")
        self.refused("runs", "show", "1", "--export", "1", *store, says="one thing at a time")
        self.refused("runs", "--import", self.directory / "none.json", *store, says="none.json")
        self.refused("runs", "--import", BASE / "config.json", *store, says="config.json")
        self.refused("runs", "--output", "text", *store, says="output")
        self.refused(*self.bench("--resume"), says="Every run is finished")
        self.refused(*self.bench("--resume", "1"), says="Run 1 is finished")
        self.refused(*self.bench("--resume", "--model", BASE), says="--model")
        self.refused(*self.bench("--model", BASE, "--shard", "3/2"), says="--shard")
        self.refused(*self.bench("--model", BASE, "--row-time-limit", "0"), says="--row-time-limit")
        self.refused(*self.bench("--model", BASE, "--within", "x"), says="--within")
        self.refused(*self.bench("--model", BASE, "--no-store"), says="--no-store")
        self.assertEqual(len(last_json(self.runs("--output", "json"))["runs"]), 1)
        self.store.write_text("no store" * 1000)
        self.refused(*self.bench("--model", BASE, *TINY), says="is no store of runs")

    def test_names_that_mean_something_else_and_facts_of_wrong_types(self):
        for name in ("7", "last", "a/b", "x.json"):
            self.refused(*self.bench("--model", BASE, *TINY, "--name", name), says="choose another name")
        self.assertFalse(self.store.exists())
        strange = {"engine": "silica", "machine": {"chip": 5, "cores": "x"}, "rows": [
            {"engine": "silica", "served": True, "model": "\x1b[31mred\n", "samples_ms": [1, 2], "reason": "\x1b[0m"}]}
        path = self.directory / "strange.json"
        path.write_text(json.dumps(strange))
        self.runs("--import", path)
        for args in ((), ("show", "1"), ("--output", "md"), ("show", "1", "--output", "csv")):
            text = self.runs(*args).stdout
            self.assertNotIn("\x1b", text)

    def test_a_store_is_not_needed_and_one_that_nobody_named_is_no_hindrance(self):
        process = self.done("bench", "--model", BASE, *TINY, "--no-store")
        self.assertNotIn("stored", process.stderr)
        (self.directory / "file").write_text("")
        process = self.done("bench", "--model", BASE, *TINY, env={"SILICA_STORE": str(self.directory / "file" / "x")})
        self.assertIn("not stored: ", process.stderr)
        self.done("bench", "--model", BASE, *TINY, env={"SILICA_STORE": str(self.directory / "other.sqlite")})
        self.assertTrue((self.directory / "other.sqlite").exists())

    def test_shards_are_the_whole_together(self):
        keys = []
        for i in (1, 2, 3):
            self.done(*self.bench("--model", BASE, *TINY, "--batch-size", "1,2,3,4", "--shard", f"{i}/3"))
            document = self.export()
            self.assertEqual(document["run"]["shard"], f"{i}/3")
            keys.append([row["key"].split("|")[5] for row in document["rows"]])
        self.assertEqual(keys, [["1", "4"], ["2"], ["3"]])
        self.assertIn("nothing to do", self.done(*self.bench("--model", BASE, *TINY, "--shard", "2/2")).stderr)

    def test_without_numbers_it_samples_until_the_median_is_known(self):
        command = ("--model", BASE, "--hardware", "cpu", "--threads", "1", "--prompt-tokens", "4")
        row = last_json(self.done(*self.bench(*command, "--within", "1000", "--output", "json")))
        self.assertEqual((row["iterations"], len(row["samples_ms"])), (10, 10))
        self.assertGreaterEqual(row["warmup"], 6)
        low, high = row["interval_ms"]
        self.assertTrue(low <= row["median_ms"] <= high)
        self.assertIn("before", row["conditions"])
        self.assertIsInstance(row["noise"], list)
        self.assertEqual("noisy" in row["marks"], bool(row["noise"]))
        self.assertIn("95 % interval", self.done(*self.bench(*command, "--within", "500")).stdout)


class Stopped(Suite):
    PLAN = ("--model", BASE, *TINY, "--batch-size", "1,2,3,4,5,6")

    def measured(self):
        return {r["key"]: r["samples_ms"] for r in self.export()["rows"] if r["state"] == "measured"}

    def test_kill_9_at_any_moment_loses_no_more_than_the_row_at_work(self):
        """Killed at random times and resumed until it is through."""
        chance = random.Random(11)
        process, kills, kept, err = self.start(*self.bench(*self.PLAN)), 0, {}, ""
        while True:
            try:
                err = process.communicate(timeout=chance.uniform(0.05, 1.5) if kills < 8 else 120)[1]
                self.assertEqual(process.returncode, 0, err)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                err = process.communicate()[1]
                kills += 1
            runs = last_json(self.runs("--output", "json"))["runs"] if self.store.exists() else []
            now = self.measured() if runs else {}
            for key, samples in kept.items():
                self.assertEqual(now.get(key), samples, f"lost after {kills} kills: {key}")
            # all rows that were done before the last that began are there
            begun = [line for line in err.splitlines() if line.startswith("[")]
            if begun:
                self.assertGreaterEqual(len(now), int(begun[-1][1:].split("/")[0]) - 1)
            kept = now
            if runs and runs[-1]["finished"]:
                break  # killed between the end of the run and its own
            self.assertLess(kills, 9, err)
            process = self.start(*(self.bench("--resume") if runs else self.bench(*self.PLAN)))
        self.assertGreater(kills, 0)
        document = self.export()
        self.assertEqual([r["state"] for r in document["rows"]], ["measured"] * 6)
        self.assertTrue(document["run"]["finished"])
        for key, samples in kept.items():
            self.assertEqual(self.measured()[key], samples)

    def test_ctrl_c_ends_with_the_table_of_what_there_is(self):
        process = self.start(*self.bench(*self.PLAN, "--output", "json"), start_new_session=True)
        for line in process.stderr:
            if line.startswith("[3/6"):
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
                break
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        rows = json.loads(out.strip().splitlines()[-1])["rows"]
        done = len(rows)  # 2, or more where this test was slow to see the third begin
        self.assertIn(done, range(2, 6))
        self.assertEqual([row["batch_size"] for row in rows], list(range(1, done + 1)))
        self.assertIn("silica bench --resume 1 --store", err)
        self.assertEqual([r["state"] for r in self.export()["rows"]],
                         ["measured"] * done + ["stopped"] + ["pending"] * (5 - done))
        before = self.measured()
        process = self.done(*self.bench("--resume", "1", "--output", "json"))
        rows = last_json(process)["rows"]
        self.assertEqual([row["batch_size"] for row in rows], list(range(1, 7)))
        for key, samples in before.items():
            self.assertEqual(self.measured()[key], samples)
        self.assertEqual(rows[0]["samples_ms"], [round(ms, 3) for ms in before["base|embed|cpu|float32|mapped|1|prompt_tokens=4|0"]])

    def test_a_run_at_work_is_not_resumed_beside(self):
        process = self.start(*self.bench(*self.PLAN))
        for line in process.stderr:
            if line.startswith("[2/6"):
                process.send_signal(signal.SIGSTOP)  # it is at work however slow this test is
                break
        self.refused(*self.bench("--resume"), says="is being measured by another process")
        process.kill()
        process.communicate()

    def test_no_process_of_a_row_outlives_a_killed_program(self):
        if not has_proc():
            self.skipTest("no /proc here")
        process = self.start(*self.bench("--model", BASE, "--hardware", "cpu", "--iterations", "1000000"))
        next(line for line in process.stderr if line.startswith("[1/1"))
        deadline = time.time() + 20
        while not (children := children_of(process.pid)) and time.time() < deadline:
            time.sleep(0.05)
        self.assertEqual(len(children), 1)
        process.kill()
        process.communicate()
        while os.path.exists(f"/proc/{children[0]}") and not zombie(children[0]) and time.time() < deadline:
            time.sleep(0.05)
        self.assertTrue(not os.path.exists(f"/proc/{children[0]}") or zombie(children[0]))

    def test_a_terminal_sees_one_line_that_changes(self):
        master, slave = pty.openpty()
        process = subprocess.Popen([str(PROGRAM), *map(str, self.bench("--model", BASE, *TINY, "--batch-size", "1,2"))],
                                   stdout=subprocess.PIPE, stderr=slave, env=os.environ)
        os.close(slave)
        seen = b""
        while True:
            ready, _, _ = select.select([master], [], [], 60)
            try:
                data = os.read(master, 4096) if ready else b""
            except OSError:
                data = b""
            if not data:
                break
            seen += data
        process.communicate()
        os.close(master)
        text = seen.decode()
        self.assertIn("\r\x1b[K[1/2] base embed, cpu float32", text)
        self.assertIn(": measuring", text)
        self.assertRegex(text, r"\[2/2, about \d+ s left\]")


def quiet(marks):
    """Without what depends on how busy this machine is."""
    return [mark for mark in marks if mark != "noisy"]


def has_proc():
    return os.path.exists("/proc/self/stat")


def stat_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def zombie(pid):
    stat = stat_of(pid)
    return stat is None or stat[0] in "ZX"


def children_of(parent):
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and (stat := stat_of(pid)) and int(stat[1]) == parent]


@unittest.skipUnless(SIMULATED and SIMULATED.exists(), "there is no program with rows that fail")
class Faults(Suite):
    def faulty(self, fault, *args, code):
        process = run(*self.bench("--model", BASE, *TINY, "--output", "json", *args), program=SIMULATED,
                      env={"SILICA_TEST_ROW": fault})
        self.assertEqual(process.returncode, code, process.stderr)
        return process, self.export()["rows"]

    def test_a_row_that_fails_is_a_row_with_its_reason(self):
        for fault, state, says in (("crash:2", "crashed", "SIGSEGV"), ("exit:2", "crashed", "exit code 7"),
                                   ("hang:2", "timed out", "not done after 6 s")):
            limit = ("--row-time-limit", "6") if fault.startswith("hang") else ()
            process, rows = self.faulty(fault, "--batch-size", "1,2", *limit, code=2)
            self.assertEqual([row["state"] for row in rows], ["measured", state], fault)
            self.assertIn(says, rows[1]["reason"])
            self.assertIn(says, process.stderr)
            printed = last_json(process)["rows"]
            self.assertEqual([row["served"] for row in printed], [True, False])
            self.assertEqual((printed[1]["state"], printed[1]["available"]), (state, True))
        table = run(*self.bench("--model", BASE, *TINY, "--batch-size", "1,2"), program=SIMULATED, env={"SILICA_TEST_ROW": "crash:2"})
        self.assertIn("crashed", table.stdout)

    def test_without_memory_smaller_batches_and_the_cpu_are_tried(self):
        for fault in ("memory:3", "killed:3"):
            process, rows = self.faulty(fault, "--batch-size", "8", code=0)
            self.assertEqual((rows[0]["state"], quiet(rows[0]["marks"])), ("measured", ["smaller batch"]))
            self.assertEqual([rung["batch"] for rung in rows[0]["row"]["ladder"]], [8, 4])
            self.assertEqual((rows[0]["row"]["batch_size"], rows[0]["job"]["batch"]), (2, 8))
            self.assertTrue(rows[0]["key"].endswith("|as cpu batch 2"))
            self.assertEqual(quiet(last_json(process)["marks"]), ["smaller batch"])
        _, rows = self.faulty("memory:1", "--batch-size", "2", code=2)
        self.assertEqual((rows[0]["state"], len(rows[0]["row"]["ladder"])), ("out of memory", 2))
        process = run(*self.bench("--model", BASE, "--hardware", "mps", "--precision", "float32", "--iterations", "1",
                                  "--warmup", "0", "--batch-size", "4"), program=SIMULATED, env={"SILICA_TEST_ROW": "memory:4"})
        self.assertIn("there was no memory for batch 4 on mps (simulated); measured with batch 2 on mps", process.stdout)

    def test_a_ladder_is_remembered_when_the_run_goes_on(self):
        plan = self.bench("--model", BASE, *TINY, "--batch-size", "4,1,2,3,5,6")  # so many that it is killed at work
        process = self.start(*plan, program=SIMULATED, env={"SILICA_TEST_ROW": "memory:4"})
        for line in process.stderr:
            if line.startswith("[2/6"):
                process.kill()
                break
        process.communicate()
        rows = last_json(self.done(*self.bench("--resume", "--output", "json"), program=SIMULATED))["rows"]
        self.assertEqual([(row["batch_size"], quiet(row["marks"])) for row in rows][:2], [(2, ["smaller batch"]), (1, [])])


if __name__ == "__main__":
    main()

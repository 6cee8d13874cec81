"""The command line as a whole, and `silica bench`, `devices`, `support`."""
import csv
import io
import json
import os
import subprocess
import unittest

from helpers import BASE, PROGRAM, SIMULATED, ProgramTest, last_json, main, run

TINY = ("--iterations", "3", "--warmup", "1", "--threads", "1")
COMMANDS = ("bench", "verify", "devices", "support", "tokenize")


def devices(program=None):
    return {d["device"]: d for d in last_json(run("devices", "--output", "json", program=program))["devices"]}


class CommandLine(ProgramTest):
    def test_version_and_help_are_on_stdout(self):
        self.assertRegex(self.done("--version").stdout, r"^silica \d+\.\d+\.\d+\n$")
        self.assertIn("bench", self.done("--help").stdout)
        for command in COMMANDS:
            self.assertIn("--help", self.done(command, "--help").stdout)

    def test_without_a_command_the_help_is_shown_and_the_code_is_2(self):
        process = run()
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertIn("bench", process.stderr)

    def test_wrong_names_are_answered_with_the_nearest(self):
        self.refused("bnech", says="did you mean bench?")
        self.refused("bench", "--modle", "bert", says=("'--modle'", "did you mean --model?"))
        self.refused("bench", "--model", "bret", says="did you mean bert?")
        self.refused("bench", "--model", "bert-tinny", says="did you mean bert-tiny?")
        self.refused("bench", "--model", "bert", "--hardware", "cudaa", says="did you mean cuda?")
        self.refused("bench", "--model", "bert", "--precision", "float23", says="did you mean float32?")
        self.refused("bench", "--model", "bert", "--precision", "bfloat61", says="did you mean bfloat16?")
        self.refused("bench", "--model", "bert", "--loader", "maped", says="did you mean mapped?")
        self.refused("bench", "--model", "bert", "--task", "embd", says="did you mean embed?")
        self.refused("bench", "--model", "bert", "--output", "jsn", says="did you mean json?")
        self.refused("support", "brt", says="did you mean bert?")
        self.refused("verify", BASE, "--output", "jsonl", says="json")

    def test_wrong_numbers_and_lists_are_refused(self):
        bench = ("bench", "--model", "bert", "--small-model")
        for flag in ("--iterations", "--batch-size", "--threads", "--prompt-tokens"):
            for value in ("0", "-1", "x", "", "1.5", "99999999999999999999", "1e3", " 1"):
                self.refused(*bench, flag, value, says=flag)
        self.refused(*bench, "--warmup", "-1", says="--warmup")
        self.refused(*bench, "--batch-size", "1,,8", says="--batch-size")
        self.refused(*bench, "--hardware", "cpu,", says="--hardware")
        self.refused(*bench, "--precision", ",", says="--precision")
        self.refused(*bench, "--prompt-tokens", "513", says="513 tokens")
        self.refused(*bench, "--prompt-tokens", "8,513", says="513 tokens")

    def test_contradicting_or_missing_flags_are_refused(self):
        self.refused("bench", says="--model")
        self.refused("bench", "--model", "bert", "--model", "bert", says="--model")
        self.refused("bench", "--model", "bert", "--memory-efficient", "--alternative-loading", says="--memory-efficient")
        self.refused("bench", "--model", "bert", "--loader", "mapped", "--memory-efficient", says="--loader")
        self.refused("bench", "--model", "bert,bert-tiny", "--checkpoint", BASE, says="--checkpoint")
        self.refused("bench", "--model", BASE, "--small-model", says="--small-model")
        self.refused("bench", "--model", says="--model")
        self.refused("verify", says="directory")
        self.refused("tokenize", says="directory")

    def test_what_is_known_but_not_compiled_says_how_to_get_it(self):
        compiled = {row["family"] for row in last_json(self.done("support", "--output", "json"))["families"]}
        missing = {"bert", "llava", "t5", "whisper"} - compiled
        if not missing:
            self.skipTest("this program has all families")
        for family in missing:
            self.refused("bench", "--model", family, says="not compiled")

    def test_whatever_is_typed_an_error_is_one_short_line_that_a_terminal_can_show(self):
        for name in ("\udcff\udcfe", "\x1b[31mred", "two\nlines", "\u009b31m", "\x7f", "x" * 100_000):
            for args in (("verify", name), ("classify", BASE, name), ("bench", "--model", name),
                         ("verify", BASE, "--loader", name), ("support", name)):
                error = self.refused(*args).stderr
                self.assertLess(len(error), 4500, args)
                self.assertFalse(any(ord(c) < 32 or 127 <= ord(c) < 160 or c == "\ufffd" for c in error.rstrip("\n")), error)
        self.assertLess(len(self.refused("verify", *["x"] * 3000).stderr), 4500)
        self.assertEqual(self.refused("support", "nothing").stderr.count("LlavaForConditionalGeneration"), 1)

    def test_standard_streams_may_be_closed(self):
        for closed in ((0,), (1,), (2,), (0, 1, 2)):
            process = subprocess.run([str(PROGRAM), "support", "bert", "--output", "json"], capture_output=True, timeout=60,
                                     preexec_fn=lambda: [os.close(stream) for stream in closed])
            self.assertEqual(process.returncode, 2 if 1 in closed else 0, (closed, process.stderr))

    def test_a_closed_pipe_is_no_error_and_a_full_disk_is(self):
        reader = subprocess.Popen(["head", "-c", "1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process = subprocess.run([str(PROGRAM), "support"], stdout=reader.stdin, stderr=subprocess.PIPE, timeout=60)
        reader.communicate()
        self.assertEqual((process.returncode, process.stderr), (0, b""))
        try:
            full = open("/dev/full", "w")
        except OSError:
            return
        with full:
            process = subprocess.run([str(PROGRAM), "support"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(process.returncode, 2)
        self.assertIn("silica: The output could not be written", process.stderr)


class Bench(ProgramTest):
    def test_a_row_has_the_fields_of_the_peers_on_the_last_line(self):
        process = self.done("bench", "--model", BASE, "--hardware", "cpu", "--prompt-tokens", "16", *TINY, "--output", "json")
        row = last_json(process)
        self.assertEqual(len(process.stdout.strip().splitlines()), 1)
        self.assertEqual((row["engine"], row["served"], row["family"], row["task"]), ("silica", True, "bert", "embed"))
        self.assertEqual((row["model"], row["device"], row["precision"], row["loader"]), ("base", "cpu", "float32", "mapped"))
        self.assertEqual((row["weights"], row["threads"], row["batch_size"], row["layers"]), ("checkpoint", 1, 1, None))
        self.assertEqual(row["inputs"], {"input_ids": [1, 16], "attention_mask": [1, 16]})
        self.assertEqual(row["fallbacks"], [])
        self.assertIsNone(row["speedup_vs_cpu"])
        self.assertFalse(row["simulated"])
        self.assertLessEqual({"silica", "libtorch", "compiler"}, set(row["versions"]))
        self.assertLessEqual({"os", "chip", "cores", "memory_mb"}, set(row["machine"]))
        self.assertEqual(len(row["samples_ms"]), 3)
        self.assertEqual(row["median_ms"], sorted(row["samples_ms"])[1])
        self.assertEqual(row["min_ms"], min(row["samples_ms"]))
        self.assertEqual(row["p90_ms"], max(row["samples_ms"]))
        for key in ("load_s", "median_ms", "peak_rss_mb", "items_per_s", "parameters"):
            self.assertGreater(row[key], 0, key)
        self.assertNotIn("peak_device_mb", row)

    def test_every_combination_is_a_row(self):
        process = self.done("bench", "--checkpoint", BASE, "--hardware", "cpu", "--precision", "float32,bfloat16",
                            "--loader", "mapped,cpu-first,streamed,auto", "--batch-size", "1,2", "--prompt-tokens", "4,8",
                            "--task", "embed", *TINY, "--output", "json")
        rows = last_json(process)["rows"]
        kinds = {(r["precision"], r["loader"], r["batch_size"], r["prompt_tokens"]) for r in rows}
        self.assertEqual((len(rows), len(kinds)), (32, 32))
        self.assertTrue(all(r["served"] and r["weights"] == "checkpoint" for r in rows))
        self.assertEqual(len({r["parameters"] for r in rows}), 1)

    def test_loaders_have_flags_of_their_own(self):
        for flag, loader in (("--memory-efficient", "streamed"), ("--alternative-loading", "cpu-first")):
            row = last_json(self.done("bench", "--model", BASE, "--hardware", "cpu", "--prompt-tokens", "4", flag, *TINY,
                                      "--output", "json"))
            self.assertEqual(row["loader"], loader)

    def test_random_weights_are_said_in_every_output(self):
        command = ("bench", "--model", "bert", "--small-model", "--hardware", "cpu", "--prompt-tokens", "8", *TINY)
        for output in ("table", "json", "jsonl", "csv", "md"):
            process = self.done(*command, "--output", output)
            self.assertIn("random", process.stdout, output)
            self.assertIn("bert-tiny", process.stdout, output)
        row = last_json(self.done(*command, "--task", "mlm", "--output", "json"))
        self.assertEqual((row["weights"], row["loader"], row["task"]), ("random", None, "mlm"))
        self.assertEqual(row["parameters"], 4416698)  # what transformers counts for BertForMaskedLM

    def test_a_directory_without_weights_is_measured_with_random_ones(self):
        directory = self.copy()
        (directory / "model.safetensors").unlink()
        command = ("--hardware", "cpu", "--prompt-tokens", "4", *TINY, "--output", "json")
        self.assertEqual(last_json(self.done("bench", "--model", directory, *command))["weights"], "random")
        self.refused("bench", "--checkpoint", directory, *command, says="no weights")

    def test_outputs_for_programs_can_be_parsed(self):
        command = ("bench", "--model", BASE, "--hardware", "cpu", "--batch-size", "1,2", "--prompt-tokens", "4", *TINY)
        lines = self.done(*command, "--output", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line)["batch_size"] for line in lines], [1, 2])
        table = list(csv.reader(io.StringIO(self.done(*command, "--output", "csv").stdout)))
        self.assertEqual([len(row) for row in table], [len(table[0])] * 3)
        self.assertEqual(table[1][table[0].index("model")], "base")
        self.assertTrue(self.done(*command, "--output", "md").stdout.startswith("| model"))

    def test_hardware_that_is_not_there_is_a_row_with_the_reason(self):
        absent = [name for name, d in devices().items() if not d["usable"]]
        if not absent:
            self.skipTest("every device is available here")
        name = absent[0]
        command = ("bench", "--model", BASE, "--prompt-tokens", "4", *TINY, "--output", "json")
        process = self.refused(*command, "--hardware", name, code=3, says=name + " is not available")
        row = last_json(process)
        self.assertEqual((row["served"], row["available"]), (False, False))
        self.assertTrue(row["reason"])
        self.assertFalse({"median_ms", "samples_ms", "load_s", "peak_rss_mb"} & set(row))
        process = self.done(*command, "--hardware", "cpu," + name)
        self.assertEqual([r["served"] for r in last_json(process)["rows"]], [True, False])
        self.refused("verify", BASE, "--hardware", name, code=3, says=name + " is not available")
        self.done("verify", BASE, "--hardware", "cpu," + name)

    def test_damaged_checkpoints_are_refused(self):
        bench = lambda directory, **kw: self.refused("bench", "--model", directory, "--prompt-tokens", "4", "--hardware", "cpu", *TINY, **kw)
        bench("/nonexistent", says="/nonexistent")
        bench("org/name", says="hf download org/name")
        bench(BASE / "config.json", says="is a file")
        bench(self.directory, says="config.json")
        for text, word in (("", "config.json"), ("[]", "not a JSON object"), ("{", "config.json"), ("\xff", "config.json")):
            directory = self.copy()
            (directory / "config.json").write_bytes(text.encode("latin-1"))
            bench(directory, says=word)
        bench(self.copy(model_type="roberta"), says="roberta")
        bench(self.copy(model_type="brt"), says="did you mean bert?")
        bench(self.copy(model_type=7), says="model_type")
        bench(self.copy(num_attention_heads=0), says="num_attention_heads")
        bench(self.copy(num_attention_heads=3), says="num_attention_heads 3")
        bench(self.copy(hidden_size=-16), says="hidden_size")
        bench(self.copy(hidden_size="16"), says="hidden_size")
        bench(self.copy(hidden_act="wobble"), says="wobble")
        bench(self.copy(num_hidden_layers=3), says="no tensor")
        bench(self.copy(intermediate_size=64), says="shape")
        directory = self.copy()
        weights = (directory / "model.safetensors").read_bytes()
        for damaged in (weights[:-5], weights[:100], b"", b"\xff" * 64, b"<html>"):
            (directory / "model.safetensors").write_bytes(damaged)
            bench(directory, says="model.safetensors")

    def test_one_row_that_fails_does_not_lose_the_others(self):
        broken = self.copy(num_hidden_layers=3)
        process = run("bench", "--model", f"{BASE},{broken}", "--hardware", "cpu", "--prompt-tokens", "4", *TINY, "--output", "json")
        self.assertEqual(process.returncode, 2)
        self.assertEqual([r["served"] for r in last_json(process)["rows"]], [True, False])


class DevicesAndSupport(ProgramTest):
    def test_devices_say_why_they_can_or_cannot_be_used(self):
        found = devices()
        self.assertTrue(found["cpu"]["usable"])
        for d in found.values():
            self.assertTrue(d["chip"] if d["usable"] else d["reason"], d)
        document = last_json(self.done("devices", "--output", "json"))
        for key in ("os", "os_version", "chip", "memory_mb", "cores"):
            self.assertTrue(document["machine"][key], key)
        self.assertTrue(document["versions"]["libtorch"])
        self.assertGreater(document["threads"], 0)
        self.assertIn("LibTorch", self.done("devices").stdout)

    def test_support_lists_every_op_of_every_device(self):
        (family,) = last_json(self.done("support", "bert", "--output", "json"))["families"]
        self.assertIn("BertForMaskedLM", family["heads"])
        ops = {op["op"]: op for op in family["ops"]}
        self.assertLessEqual({"linear", "layer_norm", "embedding", "attention"}, set(ops))
        for op in ops.values():
            self.assertEqual(set(op) - {"op", "precision"}, set(devices()))
        head = last_json(self.done("support", "BertModel", "--output", "json"))["families"][0]
        self.assertEqual(head["heads"], ["BertModel"])
        self.assertRegex(family["attention_on_mps"], r"\b64: (fused|MPSGraph)")  # the head size of bert-base
        page = self.done("support", "--output", "md").stdout
        self.assertIn("| bert", page)
        self.assertIn("On arm64 the CPU's own kernels are NEON's.", page)
        self.assertIn("Attention on Apple GPUs: 64: ", page)
        self.assertIn("linear", self.done("support").stdout)


@unittest.skipUnless(SIMULATED and SIMULATED.exists(), "there is no program with a simulated device")
class Simulated(ProgramTest):
    def test_every_output_says_that_the_device_is_simulated(self):
        command = ("bench", "--model", BASE, "--hardware", "cpu,mps", "--precision", "float32", "--prompt-tokens", "8", *TINY)
        for output in ("table", "json", "jsonl", "csv", "md"):
            self.assertIn("mps (simulated)", self.done(*command, "--output", output, program=SIMULATED).stdout, output)
        for output in ("table", "json", "csv", "md"):
            verify = self.done("verify", BASE, "--hardware", "mps", "--output", output, program=SIMULATED)
            self.assertIn("mps (simulated)", verify.stdout, output)
            self.assertIn("mps (simulated)", self.done("devices", "--output", output, program=SIMULATED).stdout, output)

    def test_no_speed_is_claimed_for_it_and_nothing_hops(self):
        document = last_json(self.done("bench", "--model", BASE, "--hardware", "cpu,mps", "--precision", "float32",
                                       "--prompt-tokens", "8", *TINY, "--output", "json", program=SIMULATED))
        cpu, mps = document["rows"]
        self.assertEqual((mps["device"], mps["hardware"], mps["simulated"]), ("mps", "mps (simulated)", True))
        self.assertIsNone(mps["speedup_vs_cpu"])
        self.assertGreater(mps["peak_device_mb"], 0)
        self.assertEqual([f for f in mps["fallbacks"] if f["to"] == "cpu"], [])

    def test_it_gives_the_reference_outputs_with_every_loader_and_precision(self):
        document = last_json(self.done("verify", BASE, "--hardware", "cpu,mps", "--precision", "float32,float16,bfloat16",
                                       "--loader", "mapped,cpu-first,streamed,auto", "--output", "json", program=SIMULATED))
        self.assertTrue(document["passed"])
        self.assertEqual(len(document["runs"]), 24)


if __name__ == "__main__":
    main()

"""`silica generate` and `silica verify` for texts, on tiny checkpoints whose texts transformers wrote."""
import json
import os
import shutil

import helpers
from helpers import GOLDEN, PROGRAM, SIMULATED, ProgramTest, last_json, main, run

CASES = GOLDEN.parent / "generate"
CHAT = [{"role": "user", "content": "Where is the cat? "}]


def texts(name):
    """The cases of texts.json whose settings are flags."""
    for case in json.loads((CASES / name / "texts.json").read_text()):
        flags = []
        for key, value in case["config"].items():
            flags += ["--" + key.replace("_", "-"), value]
        if len(case.get("prompts", [0])) == 1:
            yield case, ["--precision", "float32", *flags]


class GenerateTest(ProgramTest):
    def setUp(self):
        super().setUp()
        probe = run("generate", CASES / "llama", "--prompt", "x", "--max-new-tokens", "1", "--precision", "float32")
        if "not compiled" in probe.stderr:
            self.skipTest("LLaMA is not compiled into the program")

    def generate(self, name, *args, **kw):
        process = self.done("generate", CASES / name, "--precision", "float32", *args, **kw)
        self.assertRegex(process.stderr, r"prompt: \d+ tokens, [0-9.]+ tokens/s; text: \d+ tokens, [0-9.]+ tokens/s")
        return process.stdout.removesuffix("\n")

    def copy_of(self, name):
        to = self.directory / name
        shutil.copytree(CASES / name, to)
        return to


class Generate(GenerateTest):
    def test_prompts_and_chats_give_what_transformers_gives(self):
        for name in ("llama", "t5"):
            for case, flags in texts(name):
                if "messages" in case:
                    source = ["--chat", json.dumps(case["messages"])]
                else:
                    source = ["--prompt", case["prompts"][0]]
                self.assertEqual(self.generate(name, *source, *flags[2:]), case["texts"][0], (name, case))

    def test_every_device_writes_the_same(self):
        if SIMULATED is None or not SIMULATED.exists():
            self.skipTest("no simulated device")
        here = self.generate("llama", "--prompt", "The cat")
        there = self.generate("llama", "--prompt", "The cat", "--hardware", "mps", program=SIMULATED)
        self.assertEqual(here, there)

    def test_a_chat_may_be_a_file_or_standard_input(self):
        want = self.generate("llama", "--chat", json.dumps(CHAT))
        (self.directory / "chat.json").write_text(json.dumps({"messages": CHAT, "tools": None}))
        self.assertEqual(self.generate("llama", "--chat", self.directory / "chat.json"), want)
        self.assertEqual(self.generate("llama", "--chat", "-", stdin=json.dumps(CHAT)), want)

    def test_without_a_terminal_standard_input_is_the_prompt(self):
        self.assertEqual(self.generate("llama", stdin="The cat"), self.generate("llama", "--prompt", "The cat"))

    def test_lines_of_json_become_lines(self):
        lines = [{"prompt": "The cat"}, {"messages": CHAT, "config": {"max_new_tokens": 3}},
                 {"prompt": "The cat", "config": {"num_beams": 2, "num_return_sequences": 2}}, {"prompt": "x" * 500}]
        out = self.done("generate", CASES / "llama", "--precision", "float32", "--max-new-tokens", "5", "--jsonl", "-",
                        stdin="\n".join(map(json.dumps, lines)) + "\n\n").stdout
        one, two, three, four = map(json.loads, out.splitlines())
        self.assertEqual(one["text"], self.generate("llama", "--prompt", "The cat", "--max-new-tokens", "5"))
        self.assertEqual(len(one["tokens"]), 5)
        self.assertEqual(one["finish"], "length")
        self.assertEqual(one["prompt_tokens"], 4)
        self.assertEqual(len(two["tokens"]), 3)
        self.assertEqual(len(three["texts"]), 2)
        self.assertIn("context 128", four["error"])

    def test_samples_follow_the_seed(self):
        sample = lambda seed: self.generate("llama", "--prompt", "The", "--temperature", "3", "--seed", seed)
        self.assertEqual(sample(1), sample(1))
        self.assertNotEqual(sample(1), sample(2))
        greedy = self.generate("llama", "--prompt", "The")
        self.assertEqual(self.generate("llama", "--prompt", "The", "--temperature", "0"), greedy)
        self.assertEqual(self.generate("llama", "--prompt", "The", "--top-k", "1"), greedy)
        self.assertEqual(self.generate("llama", "--prompt", "The", "--threads", "1"), greedy)

    def test_a_stop_string_ends_the_text(self):
        whole = self.generate("llama", "--prompt", "x", "--max-new-tokens", "20")
        stop = whole[6:8]
        stopped = self.generate("llama", "--prompt", "x", "--stop", "never", "--stop", stop)
        self.assertEqual(stopped, whole[:whole.index(stop)])

    def test_generation_config_json_is_honoured(self):
        directory = self.copy_of("llama")
        (directory / "generation_config.json").write_text(json.dumps({"max_new_tokens": 4, "eos_token_id": 1}))
        count = lambda *args: len(json.loads(self.done(
            "generate", directory, "--jsonl", "-", *args, stdin='{"prompt": "x"}\n').stdout)["tokens"])
        self.assertEqual(count(), 4)
        self.assertEqual(count("--max-new-tokens", "6"), 6)
        self.assertEqual(count("--config", '{"max_new_tokens": 7}'), 7)
        (directory / "generation_config.json").write_text(json.dumps({"penalty_alpha": 0.6}))
        self.refused("generate", directory, "--prompt", "x", says=("penalty_alpha", "generation_config.json"))
        (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": 5000}))
        self.refused("generate", directory, "--prompt", "x", says=("eos_token_id", "5000"))

    def test_a_key_that_nobody_knows_is_named(self):
        directory = self.copy_of("llama")
        (directory / "generation_config.json").write_text(json.dumps({"max_new_token": 4, "use_cache": True}))
        stderr = self.done("generate", directory, "--prompt", "x", "--max-new-tokens", "2").stderr
        self.assertIn("no meaning is known for 'max_new_token' (said once)", stderr)
        self.assertNotIn("use_cache", stderr)

    def test_numbers_beyond_measure_are_refused(self):
        refused = lambda name, config, says: self.refused(
            "generate", CASES / name, "--prompt", "x", "--config", json.dumps(config), says=says)
        for name in ("llama", "t5"):
            for key in ("max_new_tokens", "max_length", "num_beams", "num_return_sequences", "min_length", "min_new_tokens",
                        "no_repeat_ngram_size", "prefill_chunk_size"):
                refused(name, {key: 2**63 - 1}, key)
            refused(name, {"num_beams": 70000}, "65536")

    def test_wrong_input_is_refused(self):
        refused = lambda *args, **kw: self.refused("generate", CASES / "llama", *args, **kw)
        refused("--prompt", "x" * 500, says=("501 tokens", "context 128"))
        refused("--prompt", "\udcff", says="UTF-8")
        refused("--prompt", "x", "--chat", "[]", says="one of them")
        for flag, value in (("--temperature", "-1"), ("--temperature", "warm"), ("--top-p", "1.5"), ("--top-k", "-1"),
                            ("--min-p", "2"), ("--max-new-tokens", "0"), ("--num-beams", "0"), ("--seed", "-1"),
                            ("--repetition-penalty", "0"), ("--config", "nowhere"), ("--config", "[]"),
                            ("--config", '{"top_q": 1}'), ("--config", '{"num_beam_groups": 2}'),
                            ("--config", '{"temperature": "hot"}'), ("--hardware", "cpu,mps"), ("--precision", "int3"),
                            ("--loader", "slow")):
            refused("--prompt", "x", flag, value, says=flag.removeprefix("--").split("-")[0])
        refused("--chat", "[]", says="no messages")
        refused("--chat", '{"role": "user"}', says="messages")
        refused("--chat", "{", says="--chat")
        refused("--chat", self.directory / "nowhere", says="nowhere")
        for line in ("5", "{", "{}", '{"prompt": 5}', '{"prompt": "x", "messages": []}',
                     '{"prompt": "x", "config": {"x": 1}}'):
            refused("--jsonl", "-", stdin=f"\n{line}\n", says="Line 2")
        self.refused("generate", CASES / "t5", "--chat", json.dumps(CHAT), says="no chat template")
        self.refused("generate", GOLDEN / "base", "--prompt", "x", says="does not write text")
        directory = self.copy_of("llama")
        (directory / "tokenizer.json").unlink()
        self.refused("generate", directory, "--prompt", "x", says="no tokenizer")
        (directory / "model.safetensors").unlink()
        self.refused("generate", directory, "--prompt", "x", says="no weights")


class Talk(GenerateTest):
    """With a terminal: turn by turn."""

    def talk(self, name, typed, *args):
        import pty
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "dumb"
            os.execv(str(PROGRAM), [str(PROGRAM), "generate", str(CASES / name), "--precision", "float32", *args])
        out, sent = b"", 0
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the program ended
                break
            if not piece:
                break
            out += piece
            if sent < len(typed) and out.count(b"\n> ") > sent:  # it waits for a line
                os.write(terminal, typed[sent].encode())
                sent += 1
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(errors="replace").replace("\r", "")

    def test_it_answers_and_remembers(self):
        n = ["--max-new-tokens", "6"]
        first = self.generate("llama", "--chat", json.dumps(CHAT), *n)
        both = CHAT + [{"role": "assistant", "content": first}, {"role": "user", "content": "hi"}]
        second = self.generate("llama", "--chat", json.dumps(both), *n)
        fresh = self.generate("llama", "--chat", json.dumps(both[2:]), *n)
        lines = [CHAT[0]["content"], "hi", "/clear", "hi", "x" * 500, "", "/exit"]
        code, out = self.talk("llama", [line + "\n" for line in lines], *n)
        self.assertEqual(code, 0, out)
        printable = lambda text: "".join(c for c in text if c.isprintable())
        answers = printable(out)
        at = -1
        for text in (first, second, fresh):
            self.assertIn(printable(text), answers[at + 1:])
            at = answers.index(printable(text), at + 1)
        self.assertIn("context 128", out)
        self.assertEqual(out.count("tokens/s; text"), 3)

    def test_without_a_template_each_line_is_a_prompt(self):
        code, out = self.talk("t5", ["The cat\n", "\x04"], "--max-new-tokens", "30")
        self.assertEqual(code, 0, out)
        self.assertIn(self.generate("t5", "--prompt", "The cat", "--max-new-tokens", "30"), out)


class VerifyTexts(GenerateTest):
    def test_texts_are_equal_to_transformers(self):
        for name in ("llama", "t5"):
            for reference in sorted((CASES / name).glob("reference*.safetensors")):
                directory = self.directory / f"{name}-{reference.stem}"
                shutil.copytree(CASES / name, directory)
                shutil.copyfile(reference, directory / "reference.safetensors")
                document = last_json(self.done("verify", directory, "--output", "json"))
                (output,) = document["runs"][0]["outputs"]
                self.assertTrue(output["passed"] and output["equal_leading_tokens"] == 1, (reference, output))

    def test_other_precisions_are_told_and_not_judged(self):
        process = self.done("verify", CASES / "llama", "--precision", "float32,bfloat16")
        self.assertIn("not judged", process.stdout)
        document = last_json(self.done("verify", CASES / "llama", "--precision", "bfloat16", "--output", "json"))
        (output,) = document["runs"][0]["outputs"]
        self.assertFalse(output["judged"])
        self.assertTrue(0 <= output["equal_leading_tokens"] <= 1)

    def spoiled(self, change):
        directory = self.copy_of("llama")
        tensors, metadata = helpers.read_safetensors(directory / "reference.safetensors")
        change(tensors, metadata)
        helpers.write_safetensors(directory / "reference.safetensors", tensors, metadata)
        return directory

    def verify_spoiled(self, change):
        directory = self.spoiled(change)
        try:
            return run("verify", directory, "--output", "json")
        finally:
            shutil.rmtree(directory)

    def test_a_text_that_differs_fails(self):
        def other_token(tensors, metadata):
            dtype, shape, data = tensors["outputs.sequences"]
            tensors["outputs.sequences"] = (dtype, shape, data[:-8] + (7).to_bytes(8, "little"))
        process = self.verify_spoiled(other_token)
        self.assertEqual(process.returncode, 1, process.stderr)
        (output,) = last_json(process)["runs"][0]["outputs"]
        self.assertEqual(output["outside"], 1)
        self.assertAlmostEqual(output["equal_leading_tokens"], 35 / 36)
        process = self.verify_spoiled(lambda t, m: m.update(max_new_tokens="5"))
        self.assertEqual(process.returncode, 1)
        self.assertIn("shape", last_json(process)["runs"][0]["outputs"][0]["problem"])

    def test_wrong_references_are_refused(self):
        def refused(change, says):
            process = self.verify_spoiled(change)
            self.assertEqual(process.returncode, 2, process.stderr)
            self.assertIn("Remedy: ", process.stderr)
            self.assertIn(says, process.stderr)
        refused(lambda t, m: m.pop("max_new_tokens"), "max_new_tokens")
        refused(lambda t, m: m.update(max_new_tokens="many"), "max_new_tokens")
        refused(lambda t, m: m.update(generation_config="{"), "generation_config")
        refused(lambda t, m: m.update(generation_config='{"x": 1}'), "'x'")
        refused(lambda t, m: t.update({"outputs.logits": t["outputs.sequences"]}), "outputs.logits")
        refused(lambda t, m: t.update({"inputs.pixels": t["inputs.input_ids"]}), "'pixels'")
        self.refused("verify", self.spoil_reference(lambda t, m: m.update(task="generate")), says="BertModel")


if __name__ == "__main__":
    main()

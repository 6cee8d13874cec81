"""Quantised checkpoints and GGUF files, end to end: what transformers makes of the weights that they stand for, and of texts
with the tokenizer of a GGUF file."""
import json

from helpers import GOLDEN, ProgramTest, last_json, main

FORMATS = GOLDEN.parent / "formats"


class Formats(ProgramTest):
    def test_every_form_is_the_model_that_it_stands_for(self):
        cases = sorted(case for case in FORMATS.iterdir() if (case / "reference.safetensors").exists())
        self.assertGreaterEqual(len(cases), 17)
        for case in cases:
            with self.subTest(case=case.name):
                document = last_json(self.done("verify", case, "--loader", "mapped,streamed,cpu-first", "--output", "json"))
                self.assertTrue(document["passed"], case)
                self.assertEqual(len(document["runs"]), 3)
                for run in document["runs"]:
                    self.assertLess(run["outputs"][0]["relative_error"], 1e-5)

    def test_a_gguf_file_may_be_named_itself(self):
        document = last_json(self.done("verify", FORMATS / "gguf_q8_0" / "model.gguf", "--output", "json"))
        self.assertTrue(document["passed"])

    def test_texts_of_gguf_tokenizers(self):
        cases = sorted(FORMATS.glob("*/texts.json"))
        self.assertGreaterEqual(len(cases), 3)
        for path in cases:
            texts = json.loads(path.read_text())
            lines = "".join(json.dumps({"text": t["text"]}) + "\n" for t in texts)
            for place in (path.parent, path.parent / "model.gguf"):
                out = self.done("tokenize", place, "--jsonl", "-", stdin=lines)
                for want, got in zip(texts, map(json.loads, out.stdout.splitlines()), strict=True):
                    with self.subTest(case=path.parent.name, text=want["text"]):
                        self.assertEqual(got["ids"], want["ids"])
                        self.assertEqual(got["decoded"], want["decoded"])
                        self.assertEqual(got["decoded_skip_special"], want["skipped"])

    def test_a_gguf_file_writes_text(self):
        out = self.done("generate", FORMATS / "gguf_q8_0", "--jsonl", "-", "--max-new-tokens", "4",
                        stdin=json.dumps({"prompt": "the quick"}) + "\n")
        answer = last_json(out)
        self.assertNotIn("error", answer)
        self.assertGreater(answer["prompt_tokens"], 1)


main()

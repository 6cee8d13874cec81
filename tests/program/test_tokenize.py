"""`silica tokenize`: texts and JSON lines."""
import json

from helpers import ProgramTest, main

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s", ",", "!", "-"]


class Tokenize(ProgramTest):
    def setUp(self):
        super().setUp()
        (self.directory / "vocab.txt").write_text("\n".join(WORDS) + "\n")

    def lines(self, *args, **kw):
        return [json.loads(line) for line in self.done("tokenize", self.directory, *args, **kw).stdout.splitlines()]

    def test_texts_become_lines(self):
        first, second = self.lines("Hello, worlds!", "hello")
        self.assertEqual(first["tokens"], ["[CLS]", "hello", ",", "world", "##s", "!", "[SEP]"])
        self.assertEqual(first["ids"], [2, 5, 8, 6, 7, 9, 3])
        self.assertEqual(first["type_ids"], [0] * 7)
        self.assertEqual(first["decoded_skip_special"], "hello, worlds!")
        self.assertEqual(second["ids"], [2, 5, 3])
        self.assertEqual(self.lines("--", "-hello")[0]["ids"], [2, 10, 5, 3])

    def test_lines_of_a_file_and_of_standard_input(self):
        text = "\n".join(json.dumps(line) for line in (
            {"text": "hello", "pair": "world"}, {"text": "hello", "add_special_tokens": False}, {"text": ""})) + "\n"
        (self.directory / "in.jsonl").write_text(text)
        from_file = self.lines("--jsonl", self.directory / "in.jsonl")
        self.assertEqual(from_file, self.lines("--jsonl", "-", stdin=text))
        self.assertEqual([line["ids"] for line in from_file], [[2, 5, 3, 6, 3], [5], [2, 3]])
        self.assertEqual(from_file[0]["type_ids"], [0, 0, 0, 1, 1])
        self.assertEqual(self.lines("--jsonl", "-", stdin=""), [])

    def test_files_beside_the_vocabulary_are_obeyed(self):
        config = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "image_token": "<img>", "no_such_key": 1}
        (self.directory / "tokenizer_config.json").write_text(json.dumps(config))
        (self.directory / "special_tokens_map.json").write_text(json.dumps({"sep_token": "[MASK]"}))
        (self.directory / "added_tokens.json").write_text(json.dumps({"new": 700}))
        result = self.done("tokenize", self.directory, "Hello <img>new hello")
        self.assertEqual(json.loads(result.stdout)["ids"], [2, 1, 12, 11, 5, 4])
        self.assertEqual(result.stderr.count("no_such_key"), 1)
        (self.directory / "tokenizer_config.json").write_text("version https://git-lfs.github.com/spec/v1\n")
        self.refused("tokenize", self.directory, "a", says="Git LFS")

    def test_wrong_input_is_refused(self):
        refused = lambda *args, **kw: self.refused("tokenize", self.directory, *args, **kw)
        refused(says="no text")
        refused("a", "--jsonl", "-", says="--jsonl")
        refused("--jsonl", self.directory / "nothing.jsonl", says="nothing.jsonl")
        refused("--jsonl", self.directory, says="cannot be read")
        refused("--jsonl", "-", stdin='{"text": "a"}\n{"text": 1}\n', says="Line 2")
        refused("--jsonl", "-", stdin="hello\n", says="not JSON")
        self.refused("tokenize", self.directory / "nothing", "a", says="nothing")
        (self.directory / "vocab.txt").unlink()
        refused("a", says="tokenizer.json")


if __name__ == "__main__":
    main()

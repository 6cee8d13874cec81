"""`silica embed` on a tiny checkpoint, and checkpoints in the hub cache."""
import json
import math
import shutil

from helpers import BASE, ProgramTest, last_json, main

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "a", "b", "c"]


class Embed(ProgramTest):
    def setUp(self):
        super().setUp()
        self.checkpoint = self.copy()
        (self.checkpoint / "vocab.txt").write_text("\n".join(WORDS) + "\n")

    def vectors(self, *args, **kw):
        lines = self.done("embed", self.checkpoint, *args, **kw).stdout.splitlines()
        return [json.loads(line)["embedding"] for line in lines]

    def near(self, one, other, tolerance=1e-5):
        self.assertEqual(len(one), len(other))
        self.assertLess(max(abs(a - b) for a, b in zip(one, other)), tolerance)

    def test_each_sentence_gives_a_vector_whatever_stands_beside_it(self):
        together = self.vectors("hello world", "a b c hello a b", "b")
        self.assertEqual([len(v) for v in together], [32] * 3)
        self.near(self.vectors("b")[0], together[2])
        lines = "".join(json.dumps({"text": t}) + "\n" for t in ("hello world", "a b c hello a b", "b"))
        for one, other in zip(self.vectors("--jsonl", "-", "--batch-size", "1", stdin=lines), together):
            self.near(one, other)

    def test_vectors_have_length_one_where_the_checkpoint_says_so(self):
        (self.checkpoint / "modules.json").write_text(json.dumps(
            [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
             {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
             {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]))
        (self.checkpoint / "1_Pooling").mkdir()
        (self.checkpoint / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
        self.assertAlmostEqual(math.hypot(*self.vectors("hello")[0]), 1.0, places=5)

    def test_other_precisions_are_near(self):
        one, other = self.vectors("hello world")[0], self.vectors("hello world", "--precision", "bfloat16")[0]
        self.near(one, other, 0.2)

    def test_wrong_input_is_refused(self):
        refused = lambda *args, **kw: self.refused("embed", self.checkpoint, *args, **kw)
        refused(says="no text")
        refused("--jsonl", "-", stdin='{"text": 5}\n', says="Line 1")
        refused("--jsonl", "-", stdin='\n{\n', says="Line 2")
        refused("a", "--hardware", "cpu,mps", says="one")
        refused("a", "--batch-size", "0", says="--batch-size")
        (self.checkpoint / "model.safetensors").unlink()
        refused("a", says="no weights")


class HubCache(ProgramTest):
    def test_a_repository_is_found_in_the_cache(self):
        snapshot = self.directory / "models--org--tiny" / "snapshots" / "abc"
        shutil.copytree(BASE, snapshot)
        (self.directory / "models--org--tiny" / "refs").mkdir()
        (self.directory / "models--org--tiny" / "refs" / "main").write_text("abc")
        env = {"HF_HUB_CACHE": str(self.directory)}
        row = last_json(self.done("bench", "--model", "org/tiny", "--hardware", "cpu", "--iterations", "1", "--warmup", "0",
                                  "--output", "json", env=env))
        self.assertEqual((row["model"], row["weights"], row["prompt_tokens"]), ("tiny", "checkpoint", 24))
        self.done("verify", "org/tiny", env=env)
        self.refused("verify", "org/tniy", env=env, says="hf download org/tniy")

    def test_a_family_takes_its_published_model_from_the_cache(self):
        repo = self.directory / "models--prajjwal1--bert-tiny"
        shutil.copytree(BASE, repo / "snapshots" / "abc")
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text("abc")
        row = last_json(self.done("bench", "--model", "bert", "--small-model", "--hardware", "cpu", "--iterations", "1",
                                  "--warmup", "0", "--output", "json", env={"HF_HUB_CACHE": str(self.directory)}))
        self.assertEqual((row["model"], row["weights"], row["loader"]), ("bert-tiny", "checkpoint", "mapped"))


if __name__ == "__main__":
    main()

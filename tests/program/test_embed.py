"""`silica embed` on a tiny checkpoint, and checkpoints in the hub cache."""
import json
import math
import shutil

from helpers import BASE, GOLDEN, ProgramTest, last_json, main, run

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

    def sentence_transformer(self, files):
        """Makes the checkpoint one of sentence-transformers, with mean pooling and these files beside."""
        files = {"modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}],
            "1_Pooling/config.json": {"pooling_mode_mean_tokens": True}, **files}
        for name, content in files.items():
            (self.checkpoint / name).parent.mkdir(exist_ok=True)
            (self.checkpoint / name).write_text(json.dumps(content))

    def test_prompts_stand_before_the_sentences(self):
        plain = self.vectors("hello world", "a b hello world")
        self.sentence_transformer({"config_sentence_transformers.json": {
            "prompts": {"ab": "a b ", "c": "c "}, "default_prompt_name": "ab"}})
        self.near(self.vectors("hello world")[0], plain[1])
        self.near(self.vectors("hello world", "--prompt-name", "query")[0], plain[0])
        self.near(self.vectors("world", "--prompt", "a b hello ")[0], plain[1])
        self.near(self.vectors("hello world", "--prompt", "")[0], plain[0])
        refused = lambda *args, **kw: self.refused("embed", self.checkpoint, "a", *args, **kw)
        refused("--prompt-name", "d", says="ab, c, document, query")
        refused("--prompt-name", "c", "--prompt", "x", says="one of them")

    def test_the_prompt_can_be_left_out_of_the_pooling(self):
        settings = {"config_sentence_transformers.json": {"prompts": {"ab": "a b "}}}
        self.sentence_transformer({**settings, "1_Pooling/config.json": {"pooling_mode": "cls"}})
        first = self.vectors("hello", "--prompt", "")[0]
        self.sentence_transformer({**settings, "1_Pooling/config.json": {"pooling_mode": "lasttoken"}})
        last = self.vectors("hello", "--prompt-name", "ab")[0]
        self.sentence_transformer({**settings, "1_Pooling/config.json": {
            "pooling_mode": ["cls", "lasttoken", "max"], "include_prompt": False}})
        vector = self.vectors("hello", "--prompt-name", "ab")[0]
        self.assertNotEqual(vector[:32], first)  # that of "hello", not of [CLS]
        self.near(vector[32:64], last)
        self.assertTrue(all(m >= max(a, b) - 1e-6 for a, b, m in zip(vector[:32], last, vector[64:])))

    def test_a_text_in_brackets_is_one_text(self):
        self.near(self.vectors("[hello, world]")[0], self.vectors("--jsonl", "-", stdin='{"text": "[hello, world]"}')[0])

    def test_a_name_that_is_no_text_is_an_error_in_its_place(self):
        chains = GOLDEN.parent / "chains"
        picture = chains / "pictures" / "small.png"
        process = run("embed", chains / "vit", "\udcff.png", picture)
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        self.assertEqual((process.returncode, len(lines)), (2, 2), process.stderr)
        self.assertEqual(lines[0]["files"], ["\ufffd.png"])
        self.assertIn("no such file", lines[0]["error"])
        self.assertIn("embedding", lines[1])
        self.assertIn("Remedy: ", process.stderr)

    def test_a_sound_is_no_sentence(self):
        sound = BASE.parent.parent / "transcribe" / "base" / "sound.wav"
        self.refused("embed", self.checkpoint, sound, says=("is a sound", "ClapModel"))
        for other in ("transcribe/whisper", "transcribe/base", "clap/text"):
            self.refused("embed", BASE.parent.parent / other, sound, says=("is a sound", "ClapModel"))

    def test_vectors_are_cut(self):
        whole = self.vectors("hello")[0]
        self.near(self.vectors("hello", "--truncate-dim", "5")[0], whole[:5])
        self.sentence_transformer({"config_sentence_transformers.json": {"truncate_dim": 7}})
        self.near(self.vectors("hello")[0], whole[:7])
        self.near(self.vectors("hello", "--truncate-dim", "5000")[0], whole)
        self.refused("embed", self.checkpoint, "a", "--truncate-dim", "0", says="--truncate-dim")

    def test_the_network_may_lie_in_a_folder(self):
        whole = self.vectors("hello world")[0]
        folder = self.checkpoint / "0_Transformer"
        folder.mkdir()
        for file in list(self.checkpoint.iterdir()):
            if file != folder:
                shutil.move(file, folder / file.name)
        self.sentence_transformer({"modules.json": [
            {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]})
        self.near(self.vectors("hello world")[0], whole)
        cache = self.directory / "hub"
        shutil.copytree(self.checkpoint, cache / "models--org--tiny" / "snapshots" / "abc")
        (cache / "models--org--tiny" / "refs").mkdir()
        (cache / "models--org--tiny" / "refs" / "main").write_text("abc")
        out = self.done("embed", "org/tiny", "hello world", env={"HF_HUB_CACHE": str(cache)}).stdout
        self.near(json.loads(out)["embedding"], whole)

    def test_unknown_keys_are_named_once(self):
        self.sentence_transformer({"config_sentence_transformers.json": {"odd": 1}})
        err = self.done("embed", self.checkpoint, "hello", "a").stderr
        self.assertEqual(err.count("'odd'"), 1)

    def test_what_is_not_itself_is_told(self):
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
        for name in ("vocab.txt", "config.json", "model.safetensors"):
            before = (self.checkpoint / name).read_bytes()
            (self.checkpoint / name).write_text(pointer)
            self.refused("embed", self.checkpoint, "hello", says=(name, "Git LFS pointer"))
            (self.checkpoint / name).unlink()
            (self.checkpoint / name).symlink_to("gone")
            self.refused("embed", self.checkpoint, "hello", says=(name, "is a link"))
            (self.checkpoint / name).unlink()
            (self.checkpoint / name).write_bytes(before)
        self.vectors("hello")

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

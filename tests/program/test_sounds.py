"""`silica match` and `silica embed` on sounds, with CLAP: what transformers makes of them, and what is refused."""
import json
import math
import pathlib
import shutil

from helpers import ProgramTest, main

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "match_sounds"
CASES = [GOLDEN / "unfused", GOLDEN / "fused"]
CLAP = CASES[0]


class Match(ProgramTest):
    def match(self, directory, files, labels, *args):
        process = self.done("match", directory, *files, "--labels", ",".join(labels), "--output", "json", *args)
        return json.loads(process.stdout)

    def test_labels_are_scored_as_transformers_scores_them(self):
        for directory in CASES:
            for case in json.loads((directory / "expected.json").read_text()):
                files = [directory / name for name in case["files"]]
                output = self.match(directory, files, case["labels"], "--template", case["template"])
                self.assertEqual([item["files"] for item in output], [[str(f)] for f in files])
                for item, wanted in zip(output, case["files"].values(), strict=True):
                    self.assertEqual([r["label"] for r in item["results"]], [label for label, _ in wanted])
                    for result, (_, score) in zip(item["results"], wanted):
                        self.assertAlmostEqual(result["score"], score, delta=2e-3)

    def test_the_usual_template_is_that_of_the_pipeline_and_the_usual_seed_is_0(self):
        files = [CLAP / "long.wav"]
        usual = self.match(CLAP, files, ["a dog", "rain"])
        self.assertEqual(usual, self.match(CLAP, files, ["a dog", "rain"], "--template", "This is a sound of {}.",
                                           "--seed", "0"))
        self.assertNotEqual(usual, self.match(CLAP, files, ["a dog", "rain"], "--template", "{}"))
        self.assertNotEqual(usual, self.match(CLAP, files, ["a dog", "rain"], "--seed", "7"))

    def test_what_is_refused(self):
        sound = CLAP / "short.wav"
        process = self.refused("match", CLAP, sound, CLAP / "config.json", "--labels", "a,b", "--output", "json",
                               says="config.json")
        self.assertEqual(process.stdout, "")
        process = self.refused("match", CLAP, sound, self.directory / "none.wav", "--labels", "a,b", "--output", "jsonl",
                               says="none.wav")
        self.assertEqual(["error" in json.loads(line) for line in process.stdout.splitlines()], [False, True])
        self.refused("match", CLAP, sound, "--labels", "x" * 80, says=["tokens", "62"])
        for seed in ("x", "4294967296"):
            self.refused("match", CLAP, sound, "--labels", "a", "--seed", seed, says="--seed")


class Embed(ProgramTest):
    def embed(self, directory, *args):
        return [json.loads(line) for line in self.done("embed", directory, *args).stdout.splitlines()]

    def near(self, got, want):
        """Of length 1, in the direction of `want`."""
        length = math.hypot(*want)
        for a, b in zip(got, want, strict=True):
            self.assertAlmostEqual(a, b / length, delta=2e-4)

    def test_vectors_are_those_of_transformers(self):
        for directory in CASES:
            for case in json.loads((directory / "embeds.json").read_text())["audio_embeds"]:
                files = [directory / name for name in case["files"]]
                for batch in (1, 8):
                    output = self.embed(directory, *files, "--batch-size", batch, "--seed", case["seed"])
                    self.assertEqual([line["files"] for line in output], [[str(f)] for f in files])
                    for line, wanted in zip(output, case["files"].values(), strict=True):
                        self.near(line["embedding"], wanted)

    def test_the_usual_seed_is_0(self):
        case = json.loads((CLAP / "embeds.json").read_text())["audio_embeds"][0]
        self.assertEqual(case["seed"], 0)
        for line, wanted in zip(self.embed(CLAP, *(CLAP / name for name in case["files"])), case["files"].values()):
            self.near(line["embedding"], wanted)

    def test_what_is_refused(self):
        sound = CLAP / "short.wav"
        process = self.refused("embed", CLAP, sound, self.directory / "none.wav", CLAP / "config.json",
                               says=["2 files", "none.wav"])
        self.assertEqual([sorted(json.loads(line)) for line in process.stdout.splitlines()],
                         [["embedding", "files"], ["error", "files"], ["error", "files"]])
        self.refused("embed", CLAP, says="no file")
        self.refused("embed", CLAP, sound, "--prompt", "a", says=["Sounds", "--prompt"])
        self.refused("embed", CLAP, "--jsonl", "-", stdin="", says=["Sounds", "--jsonl"])
        for seed in ("x", "4294967296"):
            self.refused("embed", CLAP, sound, "--seed", seed, says="--seed")
        self.refused("embed", GOLDEN.parent / "chains" / "clip", GOLDEN.parent / "chains" / "pictures" / "small.png",
                     "--seed", "1", says="--seed")
        bare = self.copy(CLAP)
        self.refused("embed", bare, sound, says="preprocessor_config.json")
        shutil.copyfile(GOLDEN.parent / "chains" / "clip" / "preprocessor_config.json", bare / "preprocessor_config.json")
        self.refused("embed", bare, sound, says="feature_extractor_type")


if __name__ == "__main__":
    main()

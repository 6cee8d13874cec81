"""`silica classify`: from pictures to labels and scores as transformers' pipeline has them, and what is refused."""
import json
import pathlib
import shutil

from helpers import BASE, ProgramTest, main, run

CHAINS = pathlib.Path(__file__).resolve().parent.parent / "golden" / "chains"
PICTURES = sorted((CHAINS / "pictures").iterdir())


class Classify(ProgramTest):
    def checkpoint(self, case, **config):
        to = self.copy(CHAINS / case, **config)
        shutil.copyfile(CHAINS / case / "preprocessor_config.json", to / "preprocessor_config.json")
        return to

    def check(self, output, expected, files, tolerance=2e-3):
        self.assertEqual([item["files"] for item in output], [[str(f)] for f in files])
        for item, file in zip(output, files):
            wanted = expected[file.name]
            self.assertEqual([r["label"] for r in item["results"]], [label for label, _ in wanted], file)
            for result, (_, score) in zip(item["results"], wanted):
                self.assertAlmostEqual(result["score"], score, delta=tolerance)

    def test_each_checkpoint_says_what_transformers_says(self):
        for case in ("vit", "teacher", "clip_classes"):
            expected = json.loads((CHAINS / case / "expected.json").read_text())["classify"]
            for problem_type, wanted in expected.items():
                directory = self.checkpoint(case, problem_type=problem_type or None)
                for more in ((), ("--batch-size", 1), ("--batch-size", 3)):
                    with self.subTest(case=case, problem_type=problem_type, more=more):
                        process = self.done("classify", directory, *PICTURES, "--output", "json", *more)
                        self.check(json.loads(process.stdout), wanted, PICTURES)

    def test_half_precision_is_near(self):
        expected = json.loads((CHAINS / "vit" / "expected.json").read_text())["classify"][""]
        process = self.done("classify", CHAINS / "vit", *PICTURES, "--output", "json", "--precision", "bfloat16",
                            "--top-k", 1)
        self.check(json.loads(process.stdout), {k: v[:1] for k, v in expected.items()}, PICTURES, 0.1)

    def test_top_k_and_the_other_outputs(self):
        one = PICTURES[0]
        for k, n in ((1, 1), (3, 3), (100, 7)):
            out = json.loads(self.done("classify", CHAINS / "vit", one, "--top-k", k, "--output", "json").stdout)
            self.assertEqual(len(out[0]["results"]), n)
        lines = self.done("classify", CHAINS / "vit", *PICTURES, "--output", "jsonl").stdout.splitlines()
        expected = json.loads((CHAINS / "vit" / "expected.json").read_text())["classify"][""]
        self.check([json.loads(line) for line in lines], expected, PICTURES)
        table = self.done("classify", CHAINS / "vit", *PICTURES).stdout.splitlines()
        self.assertEqual(len(table), len(PICTURES))
        for line, file in zip(table, PICTURES):
            self.assertTrue(line.startswith(str(file)))
            self.assertIn(expected[file.name][0][0], line)

    def test_a_file_that_cannot_be_read_is_an_error_of_its_own(self):
        broken = self.directory / "broken.png"
        broken.write_bytes(PICTURES[0].read_bytes()[:60])
        files = [PICTURES[0], broken, self.directory / "none.jpg", PICTURES[1]]
        process = self.refused("classify", CHAINS / "vit", *files, "--output", "jsonl", says=["2", "broken.png"])
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        self.assertEqual([line["files"] for line in lines], [[str(f)] for f in files])
        self.assertEqual(["error" in line for line in lines], [False, True, True, False])
        self.assertIn("none.jpg", lines[2]["error"])
        process = self.refused("classify", CHAINS / "vit", *files, says="broken.png")
        self.assertEqual(len(process.stdout.splitlines()), 4)
        process = self.refused("classify", CHAINS / "vit", *files, "--output", "json", says="broken.png")
        self.assertEqual(process.stdout, "")

    def test_what_is_refused(self):
        one = PICTURES[0]
        self.refused("classify", CHAINS / "vit", says="no file")
        self.refused("classify", CHAINS / "vit", one, "--top-k", 0, says="--top-k")
        self.refused("classify", CHAINS / "vit", one, "--batch-size", "x", says="--batch-size")
        self.refused("classify", CHAINS / "vit", one, "--output", "csv", says="csv")
        self.refused("classify", CHAINS / "clip", one, says=["CLIPModel", "CLIPForImageClassification"])
        self.refused("classify", BASE, one, says=["BertModel", "classes of pictures"])
        bare = self.copy(CHAINS / "vit")
        self.refused("classify", bare, one, says="preprocessor_config.json")
        self.refused("classify", self.checkpoint("vit", id2label={"0": "a", "2": "b"}), one,
                     says=["id2label", "'1'"])
        self.refused("classify", self.checkpoint("vit", id2label={}), one, says="no classes")
        other = self.checkpoint("vit")
        (other / "preprocessor_config.json").write_text(json.dumps(
            {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 12}}))
        process = self.refused("classify", other, one, "--output", "json", says=["16 x 12", "12 x 12"])
        self.assertEqual(process.stdout, "")
        (other / "model.safetensors").unlink()
        self.refused("classify", other, one, says="model.safetensors")

    def test_labels_with_quotes_commas_and_umlauts_are_as_they_are(self):
        process = self.done("classify", CHAINS / "vit", PICTURES[0], "--top-k", 7, "--output", "jsonl")
        labels = {r["label"] for r in json.loads(process.stdout)["results"]}
        self.assertEqual(labels, {"tabby", "red, deep", "a \"quoted\" name", "Übergröße", "e", "f", "g"})

    def test_pictures_of_a_vision_model_are_embedded(self):
        for case in ("vit", "clip"):
            expected = json.loads((CHAINS / case / "expected.json").read_text())["embed"]
            for batch in (1, 4):
                process = self.done("embed", CHAINS / case, *PICTURES, "--batch-size", batch)
                for line, file in zip(process.stdout.splitlines(), PICTURES, strict=True):
                    found = json.loads(line)
                    self.assertEqual(found["files"], [str(file)])
                    for got, want in zip(found["embedding"], expected[file.name], strict=True):
                        self.assertAlmostEqual(got, want, delta=1e-3)
        process = self.refused("embed", CHAINS / "vit", PICTURES[0], self.directory / "none.png", says="none.png")
        self.assertEqual([sorted(json.loads(line)) for line in process.stdout.splitlines()],
                         [["embedding", "files"], ["error", "files"]])
        self.refused("embed", CHAINS / "vit", says="no file")
        self.refused("embed", CHAINS / "vit", PICTURES[0], "--prompt", "a", says="--prompt")


if __name__ == "__main__":
    main()

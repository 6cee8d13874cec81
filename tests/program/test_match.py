"""`silica match`: which text goes with a picture, as transformers' zero-shot pipeline says, and what is refused."""
import json
import pathlib
import shutil

from helpers import ProgramTest, main

CHAINS = pathlib.Path(__file__).resolve().parent.parent / "golden" / "chains"
PICTURES = sorted((CHAINS / "pictures").iterdir())
CLIP = CHAINS / "clip"


class Match(ProgramTest):
    def test_labels_are_scored_as_transformers_scores_them(self):
        for case in json.loads((CLIP / "expected.json").read_text())["match"]:
            for batch in (1, 8):
                process = self.done("match", CLIP, *PICTURES, "--labels", ",".join(case["labels"]), "--template",
                                    case["template"], "--output", "json", "--batch-size", batch)
                output = json.loads(process.stdout)
                self.assertEqual([item["files"] for item in output], [[str(f)] for f in PICTURES])
                for item, file in zip(output, PICTURES):
                    wanted = case["pictures"][file.name]
                    self.assertEqual([r["label"] for r in item["results"]], [label for label, _ in wanted], file)
                    for result, (_, score) in zip(item["results"], wanted):
                        self.assertAlmostEqual(result["score"], score, delta=2e-3)

    def test_the_usual_template_is_that_of_the_pipeline(self):
        usual = self.done("match", CLIP, PICTURES[0], "--labels", "a cat, dog", "--output", "jsonl").stdout
        named = self.done("match", CLIP, PICTURES[0], "--labels", "a cat,dog", "--output", "jsonl", "--template",
                          "This is a photo of {}.").stdout
        self.assertEqual(usual, named)
        other = self.done("match", CLIP, PICTURES[0], "--labels", "a cat,dog", "--output", "jsonl", "--template",
                          "{}").stdout
        self.assertNotEqual(usual, other)

    def test_a_template_is_read_as_str_format_reads_it(self):
        """As the pipeline's hypothesis_template: what Python makes of it is what the text says."""
        results = lambda labels, template: json.loads(self.done(
            "match", CLIP, PICTURES[0], "--labels", labels, "--template", template, "--output", "json").stdout)[0]["results"]
        for template in ("{0}: a {0}", "{{}} of {}", "{{{}}}", "{0}"):
            texts = [template.format(label) for label in ("a", "b")]
            wanted = {text: r["score"] for text in texts for r in results(",".join(texts), "{}") if r["label"] == text}
            found = {r["label"]: r["score"] for r in results("a, b", template)}
            for label, text in zip(("a", "b"), texts):
                self.assertAlmostEqual(found[label], wanted[text], places=6)

    def test_many_labels_are_those_of_few(self):
        labels = [f"l{i}" for i in range(150)]
        process = self.done("match", CLIP, PICTURES[0], "--labels", ",".join(labels), "--output", "json")
        found = json.loads(process.stdout)[0]["results"]
        self.assertEqual(sorted(r["label"] for r in found), sorted(labels))
        self.assertAlmostEqual(sum(r["score"] for r in found), 1, places=4)
        self.assertEqual([r["score"] for r in found], sorted((r["score"] for r in found), reverse=True))
        few = json.loads(self.done("match", CLIP, PICTURES[0], "--labels", "l3,l149", "--output", "json").stdout)
        score = {r["label"]: r["score"] for r in found}
        share = {r["label"]: r["score"] for r in few[0]["results"]}
        self.assertAlmostEqual(share["l3"], score["l3"] / (score["l3"] + score["l149"]), places=4)

    def test_the_frames_of_a_video_are_one(self):
        frames = [CHAINS / "pictures" / name for name in ("wide.png", "tall.jpg", "small.png", "grey.jpg")]
        for case in json.loads((CHAINS / "xclip" / "expected.json").read_text())["video"]:
            process = self.done("match", CHAINS / "xclip", *frames, "--labels", ",".join(case["labels"]), "--output",
                                "json")
            [item] = json.loads(process.stdout)
            self.assertEqual(item["files"], [str(f) for f in frames])
            self.assertEqual([r["label"] for r in item["results"]], [label for label, _ in case["results"]])
            for result, (_, score) in zip(item["results"], case["results"]):
                self.assertAlmostEqual(result["score"], score, delta=2e-3)
        video = CHAINS.parent.parent / "input" / "video" / "golden" / "rgb.mkv"
        [item] = json.loads(self.done("match", CHAINS / "xclip", video, "--labels", "a,b", "--output", "json").stdout)
        self.assertEqual(item["files"], [str(video)])
        self.assertAlmostEqual(sum(r["score"] for r in item["results"]), 1, places=5)
        process = self.refused("match", CHAINS / "xclip", *frames[:3], "--labels", "a,b", "--output", "json",
                               says=["3", "4", "frames"])
        self.assertEqual(process.stdout, "")
        self.refused("match", CHAINS / "xclip", self.directory / "none.mp4", "--labels", "a,b", says="none.mp4")
        self.refused("match", CHAINS / "xclip", *frames, "--labels", "x" * 50, says=["tokens", "40"])

    def test_what_is_refused(self):
        one = PICTURES[0]
        self.refused("match", CLIP, one, says="--labels")
        self.refused("match", CLIP, one, "--labels", "", says="--labels")
        self.refused("match", CLIP, one, "--labels", "a,,b", says="empty label")
        self.refused("match", CLIP, one, "--labels", "a, ", says="empty label")
        self.refused("match", CLIP, "--labels", "a", says="no file")
        self.refused("match", CLIP, one, "--labels", "a", "--template", "photo", says=["photo", "{}"])
        self.refused("match", CLIP, one, "--labels", "a,\t", says="empty label")
        for template, says in (("{} and {}", ["more than one", "{0}"]), ("{0} and {}", "more than one"), ("{} {0}", "more than one"),
                               ("{} }", "brace"), ("{", "brace"), ("{!r}", "brace"), ("{} {x}", "brace"), ("{}}", "brace"),
                               ("{{}}", "no place")):
            process = self.refused("match", CLIP, one, "--labels", "a,b", "--template", template, "--output", "json", says=says)
            self.assertEqual((process.stdout, len(process.stderr.splitlines())), ("", 1), template)
        self.refused("match", CLIP, one, "--labels", "a", "--seed", "x", says="--seed")
        self.refused("match", CLIP, one, "--labels", "a", "--seed", "1", says=["--seed", "CLIPModel"])
        process = self.refused("match", CLIP, one, "--labels", "x" * 50, "--output", "json", says=["tokens", "40"])
        self.assertEqual(process.stdout, "")
        self.refused("match", CHAINS / "vit", one, "--labels", "a", says=["ViTForImageClassification", "CLIPModel"])
        process = self.refused("match", CLIP, one, self.directory / "none.png", "--labels", "a,b", "--output", "jsonl",
                               says="none.png")
        self.assertEqual(["error" in json.loads(line) for line in process.stdout.splitlines()], [False, True])
        bare = self.copy(CLIP)
        shutil.copyfile(CLIP / "preprocessor_config.json", bare / "preprocessor_config.json")
        self.refused("match", bare, one, "--labels", "a", says="tokenizer.json")


if __name__ == "__main__":
    main()

"""What fits: the budget of every family against what loading measures, `silica plan`, refusals, and every loader."""
import json
import os
import pathlib

from helpers import ProgramTest, last_json, main, run

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
FAMILIES = {"bert": "masked_lm", "t5": "v1_1", "llama": "bfloat16_file", "mistral": "sliding", "qwen2": "tied",
            "vit": "classes", "deit": "teacher", "clip": "base", "detr": "base", "whisper": "model", "wav2vec2": "base",
            "clap": "base", "xclip": "base", "llava": "siglip_qwen2", "llava_next": "clip_mistral"}
FEW = ("--iterations", "1", "--warmup", "0", "--new-tokens", "2")
# Under the address sanitizer: what is freed counts no longer. It keeps 256 MB of it, to know it again.
FREED = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}


def rows(process):
    document = last_json(process)
    return document.get("rows", [document])


class Budget(ProgramTest):
    def test_weights_are_what_the_plan_says_in_every_family(self):
        planned = {row["model"]: row for row in rows(self.done("plan", "--small-model", "--hardware", "cpu", "--precision",
                                                               "float32", "--output", "json"))}
        self.assertTrue(planned)
        # The largest are planned only: measuring them takes longer than it tells.
        small = [row for row in planned.values() if row["weights_mb"] < 400]
        self.assertGreater(len(small), min(5, len(planned) - 1))
        # LLaVA-NeXT's prompt is as long as its usual picture wants; the others take a smaller one.
        whole = [row["family"] for row in small if row["family"] == "llava_next"]
        others = [row["family"] for row in small if row["family"] != "llava_next"]
        measured = []
        for families, sizes in ((others, ("--image-size", "224", "--audio-seconds", "2")), (whole, ())):
            if families:
                measured += rows(self.done("bench", "--model", ",".join(families), "--small-model", "--hardware", "cpu",
                                           "--precision", "float32", *sizes, "--no-store", *FEW, "--output", "json", env=FREED))
        self.assertEqual(len(measured), len(small))
        for row in measured:
            plan = planned[row["model"]]
            with self.subTest(model=row["model"]):
                self.assertEqual(plan["params"] > 0, True)
                # What the account of the load counts: recipes read in float64, so it may be more.
                self.assertLess(plan["weights_mb"], row["weights_mb"] * 1.1 + 0.1)
                self.assertGreater(plan["weights_mb"], row["weights_mb"] * 0.75)
                # What the system counts: the weights within a tenth; 60 MB are LibTorch's own, on first use.
                loaded = row["load_peak_rss_mb"] - row["baseline_rss_mb"]
                self.assertGreater(loaded, 0.9 * plan["weights_mb"] - 5)
                self.assertLess(loaded, 1.1 * plan["loaders"]["random"]["host_peak_mb"] + 60)
                if row.get("cache_mb"):
                    self.assertGreater(plan["cache_mb"], 0)

    def test_codes_take_what_the_plan_says(self):
        case = GOLDEN / "llama" / "bfloat16_file"
        for precision in ("float32", "bfloat16", "int8", "int4"):
            plan = rows(self.done("plan", "--model", case, "--hardware", "cpu", "--precision", precision, "--group", "32",
                                  "--output", "json"))[0]
            self.assertNotIn("problem", plan)
            self.assertTrue(plan["fits"])
            self.assertTrue(plan["weights_here"])

    def test_every_form_of_codes_is_planned(self):
        for case in sorted((GOLDEN / "formats").iterdir()):
            with self.subTest(case=case.name):
                for row in rows(self.done("plan", "--model", case, "--hardware", "cpu", "--precision", "int4,float32",
                                          "--output", "json")):
                    self.assertNotIn("problem", row)
                    self.assertGreater(row["params"], 0)


class Refusals(ProgramTest):
    def test_what_does_not_fit_is_said_before_anything_is_loaded(self):
        case, little = GOLDEN / "bert" / "base", {"SILICA_FREE_MB": "0"}
        self.refused("verify", case, env=little, says=["cpu has not enough memory for", "of weights in float32", "are free",
                                                       "nothing of this model fits here", "--no-budget"])
        self.done("verify", case, "--no-budget", env=little)
        # bert-base: 418 MiB in float32, 52 MiB of it word vectors, which codes leave as they are.
        refused = self.refused("bench", "--model", "bert", "--task", "mlm", "--hardware", "cpu", "--precision", "float32",
                               "--no-store", *FEW[:4], env={"SILICA_FREE_MB": "300"}, says="has not enough memory")
        self.assertIn("what would fit: ", refused.stderr)
        self.assertIn("--precision int4", refused.stderr)
        self.assertIn("--small-model", refused.stderr)
        plans = rows(self.done("plan", "--model", "bert", "--hardware", "cpu", "--precision", "float32,int4", "--output",
                               "json", env={"SILICA_FREE_MB": "300"}))
        self.assertEqual([row["fits"] for row in plans], [False, True])

    def test_a_smaller_context_plans_less(self):
        plans = [rows(self.done("plan", "--model", "llama", "--hardware", "cpu", "--precision", "int4", "--context", n,
                                "--output", "json"))[0] for n in ("128", "2048")]
        self.assertAlmostEqual(plans[1]["cache_mb"] / plans[0]["cache_mb"], 16, delta=0.5)
        self.assertEqual(plans[0]["weights_mb"], plans[1]["weights_mb"])

    def test_wrong_arguments(self):
        self.refused("plan", "--context", "1", says="--context")
        self.refused("plan", "--model", "brt", says="bert")
        self.refused("plan", "--precision", "int5", says="int5")

    def test_the_table_names_every_model(self):
        table = self.done("plan", "--hardware", "cpu", "--output", "md").stdout
        for name in ("bert-base-uncased", "llava-1.5-7b-hf", "int4", "bfloat16"):
            self.assertIn(name, table)


class Loaders(ProgramTest):
    def test_every_family_by_every_loader(self):
        for family, case in FAMILIES.items():
            with self.subTest(family=family):
                document = last_json(self.done("verify", GOLDEN / family / case, "--loader", "streamed,cpu-first,auto",
                                               "--output", "json"))
                self.assertEqual([(r["loader"], r["passed"]) for r in document["runs"]],
                                 [(loader, True) for loader in ("streamed", "cpu-first", "auto")])

    def test_the_flags_are_those_loaders(self):
        self.refused("bench", "--model", "bert", "--memory-efficient", "--alternative-loading", says="choose the loader")


main()

"""`silica doctor --mps`, and own Metal kernels under the whole program: on the simulated device, which is no Mac."""
import json

from helpers import GOLDEN, SIMULATED, ProgramTest, last_json, main, run

LLAMA = GOLDEN.parent / "generate" / "llama"


class OnTheSimulation(ProgramTest):
    def setUp(self):
        super().setUp()
        if SIMULATED is None or not SIMULATED.exists():
            self.skipTest("no simulated device")
        self.verdicts = self.directory / "mps.json"

    def sim(self, *args, metal=None, **kw):
        environment = {"SILICA_MPS_VERDICTS": str(self.verdicts), **({"SILICA_SIM_METAL": metal} if metal else {}), **kw.pop("env", {})}
        return self.done(*args, program=SIMULATED, env=environment, **kw)


class Faults(OnTheSimulation):
    def test_each_known_fault_is_tried_and_the_simulation_has_none_of_them(self):
        sent = self.directory / "sent.json"
        report = last_json(self.sim("doctor", "--mps", "--output", "json", "--to", sent))["reports"][0]
        self.assertIn("simulated", report["simulated"])
        seen = {f["fault"]: f["seen"] for f in report["faults"]}
        self.assertGreaterEqual(len(seen), 25)
        self.assertEqual({f for f, s in seen.items() if s == "failed"}, set(), report["faults"])
        self.assertEqual({f for f, s in seen.items() if s == "not tried"}, {"scores_4_gib", "two_threads", "rank_above_4"})
        # What a CPU has no fault in; it has no float64 on purpose, and the rest depends on its LibTorch.
        for fault in ("permuted", "mask_broadcasts", "linear_loses_bias", "strided_weight", "conv_large_kernel", "channels_last_slice",
                      "boolean_index", "value_head_size", "causal_leaks", "conv_3d", "long_products"):
            self.assertEqual(seen[fault], "absent", fault)
        self.assertEqual(seen["float64"], "present")
        self.assertEqual(json.loads(sent.read_text()), report)
        kept = json.loads(self.verdicts.read_text())
        self.assertIn({"fault": "linear_loses_bias", "present": False}, [{k: f[k] for k in ("fault", "present")} for f in kept["faults"]])

        text = self.sim("doctor", "--mps", "--from", sent).stdout
        self.assertIn(f"SENT BY OTHERS: {sent}", text)
        self.assertEqual(text.count("nothing here is about a Mac"), 2)

    def test_what_others_sent_decides_nothing_and_is_checked(self):
        sent = self.directory / "sent.json"
        self.sim("doctor", "--mps", "--to", sent)
        self.verdicts.unlink()
        report = json.loads(sent.read_text())
        for f in report["faults"]:
            f["seen"] = "present"
        sent.write_text(json.dumps(report))
        listed = run("doctor", "--mps", "--from", sent, "--output", "json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual(last_json(listed)["reports"][-1]["sent_by_others"], str(sent))
        self.assertFalse(self.verdicts.exists())
        for text in ("", "[]", "{}", json.dumps({**report, "format": "another"}), json.dumps({**report, "faults": [3]}), "[" * 10000):
            sent.write_text(text)
            refused = run("doctor", "--mps", "--from", sent)
            self.assertEqual(refused.returncode, 2, text[:40])
            self.assertIn("--from takes", refused.stderr)
        self.assertEqual(run("doctor", "--to", "x.json").returncode, 2)


class OwnKernels(OnTheSimulation):
    def setUp(self):
        super().setUp()
        if "not compiled" in run("generate", LLAMA, "--prompt", "x", "--max-new-tokens", "1", "--precision", "float32").stderr:
            self.skipTest("LLaMA is not compiled into the program")

    def text(self, metal, precision="float32", **kw):
        return self.sim("generate", LLAMA, "--prompt", "The cat", "--max-new-tokens", "6", "--hardware", "mps", "--precision", precision,
                        metal=metal, **kw).stdout

    def devices(self, metal, **kw):
        return self.sim("devices", metal=metal, **kw).stdout

    def test_a_text_is_the_same_with_kernels_that_are_right_and_wrong(self):
        want = self.text(None)
        self.assertIn("no compiler of Metal", self.devices(None))
        self.assertEqual(self.text("right"), want)
        self.assertRegex(self.devices("right"), r"(\d+) of \1 proven")
        for fault in ("wrong", "throws", "no_compile", "lanes_16"):
            self.verdicts.unlink()
            self.assertEqual(self.text(fault), want, fault)
            said = self.devices(fault)
            self.assertRegex(said, r"0 of \d+ proven", fault)
            self.assertIn("off: rows TYPE=0", said, fault)
        self.verdicts.unlink()
        self.assertEqual(self.text("right", env={"SILICA_METAL": "0"}), want)
        self.assertFalse(self.verdicts.exists())
        self.assertIn("turned off", self.devices("right", env={"SILICA_METAL": "0"}))

    def test_codes_stay_on_the_device_where_their_kernel_serves(self):
        self.assertEqual(self.text("right", "int4"), self.text(None, "int4"))


if __name__ == "__main__":
    main()

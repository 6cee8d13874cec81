"""`silica verify`: golden checkpoints pass, and each way to be wrong is told from the others."""
import json
import math
import struct

from helpers import BASE, GOLDEN, ProgramTest, floats, last_json, main, run


def changed(name, edit):
    """A change of a reference file: `edit` takes and gives the floats of a tensor."""
    def change(tensors, metadata):
        dtype, shape, data = tensors[name]
        values = list(struct.unpack(f"<{len(data) // 4}f", data))
        edit(values)
        tensors[name] = (dtype, shape, floats(*values))
    return change


HIDDEN = "outputs.last_hidden_state"


class Verify(ProgramTest):
    def test_golden_checkpoints_pass(self):
        for case in sorted(GOLDEN.iterdir()):
            if not (case / "reference.safetensors").exists():
                continue
            document = last_json(self.done("verify", case, "--output", "json"))
            self.assertTrue(document["passed"], case)
            self.assertEqual(document["head"], json.loads((case / "config.json").read_text())["architectures"][0])
            for output in document["runs"][0]["outputs"]:
                self.assertTrue(output["passed"])
                self.assertLess(output["relative_error"], 1e-5)

    def test_a_part_on_its_own_is_of_the_family_of_the_whole(self):
        for case, head in (("clip/text", "CLIPTextModel"), ("clip/vision", "CLIPVisionModel"),
                           ("xclip/vision", "XCLIPVisionModel")):
            document = last_json(self.done("verify", GOLDEN.parent / case, "--output", "json"))
            self.assertEqual((document["passed"], document["head"]), (True, head))
            self.assertEqual(document["family"], case.split("/")[0])
            unnamed = self.copy(GOLDEN.parent / case, architectures=None)
            self.assertEqual(last_json(self.done("verify", unnamed, "--output", "json"))["head"], head)

    def test_outputs_inside_outputs_are_compared(self):
        document = last_json(self.done("verify", GOLDEN.parent / "xclip/base", "--output", "json"))
        names = [output["name"] for output in document["runs"][0]["outputs"]]
        self.assertIn("mit_output.pooler_output", names)
        self.assertIn("text_model_output.last_hidden_state", names)
        self.assertEqual(document["runs"][0]["not_compared"], [])

    def test_each_output_is_shown_with_its_differences(self):
        text = self.done("verify", BASE).stdout
        for word in ("last_hidden_state", "pooler_output", "pass", "largest", "mean", "relative", "BertModel"):
            self.assertIn(word, text)
        self.assertTrue(self.done("verify", BASE, "--output", "md").stdout.startswith("| hardware"))

    def test_other_precisions_and_all_loaders_pass(self):
        document = last_json(self.done("verify", BASE, "--precision", "float32,float16,bfloat16", "--loader",
                                       "mapped,cpu-first,streamed,auto", "--hardware", "cpu", "--output", "json"))
        self.assertEqual(len(document["runs"]), 12)
        self.assertTrue(document["passed"])

    def failed(self, change, output="last_hidden_state", flags=()):
        process = run("verify", self.spoil_reference(change), "--output", "json", *flags)
        self.assertEqual(process.returncode, 1, process.stderr)
        document = last_json(process)
        self.assertFalse(document["passed"])
        return {o["name"]: o for o in document["runs"][0]["outputs"]}[output]

    def test_one_wrong_element_fails(self):
        def edit(values):
            values[5] += 0.01
        found = self.failed(changed(HIDDEN, edit))
        self.assertEqual((found["outside"], found["not_finite"]), (1, 0))
        self.assertAlmostEqual(found["largest_difference"], 0.01, places=4)
        self.assertIn("FAIL", run("verify", self.spoil_reference(changed(HIDDEN, edit))).stdout)

    def test_one_wrong_element_is_within_the_norm_rule_of_bfloat16_and_many_are_not(self):
        def one(values):
            values[5] += 0.01
        def all_of_them(values):
            values[:] = [v * 1.1 for v in values]
        self.done("verify", self.spoil_reference(changed(HIDDEN, one)), "--precision", "bfloat16")
        self.failed(changed(HIDDEN, all_of_them), flags=("--precision", "bfloat16"))

    def test_not_a_number_and_infinity_fail_where_they_do_not_match(self):
        for value in (math.nan, math.inf, -math.inf):
            def edit(values):
                values[0] = value
            for precision in ("float32", "bfloat16"):
                found = self.failed(changed(HIDDEN, edit), flags=("--precision", precision))
                self.assertEqual(found["not_finite"], 1)

    def test_another_shape_fails(self):
        def change(tensors, metadata):
            dtype, (b, t, h), data = tensors[HIDDEN]
            tensors[HIDDEN] = (dtype, (b, h, t), data)
        self.assertIn("shape", self.failed(change)["problem"])

    def test_outputs_that_the_reference_lacks_are_listed(self):
        directory = self.spoil_reference(lambda tensors, metadata: tensors.pop("outputs.pooler_output"))
        document = last_json(self.done("verify", directory, "--output", "json"))
        self.assertEqual(document["runs"][0]["not_compared"], ["pooler_output"])
        self.assertIn("not compared", self.done("verify", directory).stdout)

    def test_wrong_reference_files_are_refused(self):
        def refused(change, says):
            self.refused("verify", self.spoil_reference(change), says=says)
        refused(lambda t, m: t.update({"outputs.logits": t[HIDDEN]}), says=("outputs.logits", "last_hidden_state"))
        refused(lambda t, m: t.update({"inputs.pixels": t["inputs.input_ids"]}), says=("pixels", "input_ids"))
        refused(lambda t, m: t.update({"other": t[HIDDEN]}), says="other")
        refused(lambda t, m: [t.pop(k) for k in list(t) if k.startswith("inputs.")], says="no inputs")
        refused(lambda t, m: [t.pop(k) for k in list(t) if k.startswith("outputs.")], says="no outputs")
        refused(lambda t, m: t.pop("inputs.input_ids"), says="input_ids")
        for key in ("format", "task", "atol", "rtol"):
            refused(lambda t, m: m.pop(key), says=key)
            refused(lambda t, m: m.update({key: "x"}), says=(key, "'x'"))
        for value in ("-1", "nan", "inf", "1e-5x", ""):
            refused(lambda t, m: m.update(atol=value), says="atol")
        refused(lambda t, m: m.update(task="generate"), says="generate")
        directory = self.copy()
        (directory / "reference.safetensors").unlink()
        self.refused("verify", directory, says="no reference.safetensors")
        directory = self.copy()
        (directory / "reference.safetensors").write_bytes((BASE / "reference.safetensors").read_bytes()[:200])
        self.refused("verify", directory, says="reference.safetensors")
        directory = self.copy()
        (directory / "model.safetensors").unlink()
        self.refused("verify", directory, says="no weights")

    def test_ids_beyond_the_vocabulary_are_refused(self):
        def change(tensors, metadata):
            dtype, shape, data = tensors["inputs.input_ids"]
            tensors["inputs.input_ids"] = (dtype, shape, struct.pack("<q", 100) + data[8:])
        self.refused("verify", self.spoil_reference(change), says=("input_ids", "100"))

    def test_the_head_is_the_one_that_the_configuration_names(self):
        self.refused("verify", self.copy(architectures=["BertForTokenClassification"]), says=("BertForTokenClassification", "BertModel"))
        self.done("verify", self.copy(architectures=None))
        self.done("verify", self.copy(architectures=["Unknown", "BertModel"]))
        self.refused("verify", self.copy(architectures=5), says="architectures")

    def test_a_family_that_the_configuration_does_not_name_is_found(self):
        self.done("verify", self.copy(model_type=None, architectures=None))
        self.done("verify", self.copy(model_type=None), "--model", "bert")
        self.refused("verify", self.copy(), "--model", "t5", says="t5")
        self.refused("verify", self.copy(model_type=None), "--model", "brt", says="did you mean bert?")


if __name__ == "__main__":
    main()

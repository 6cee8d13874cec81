"""`silica quantize`: a checkpoint of codes out of a plain one."""
import json
import pathlib
import shutil
import tempfile

from helpers import BASE, ProgramTest, last_json, main, run


class Quantize(ProgramTest):
    def test_what_is_written_is_mlx_s_form_and_opens(self):
        with tempfile.TemporaryDirectory() as place:
            to = pathlib.Path(place) / "codes"
            self.assertIn("matrices in 8 bits by groups of 32",
                          self.done("quantize", BASE, "--precision", "int8", "--group", "32", "--to", to).stderr)
            config = json.loads((to / "config.json").read_text())
            self.assertEqual((config["quantization"]["bits"], config["quantization"]["group_size"]), (8, 32))
            self.refused("quantize", BASE, "--precision", "int8", "--group", "32", "--to", to, says="there already")
            self.refused("quantize", to, "--to", pathlib.Path(place) / "again", says="holds codes already")
            # Rounded to 8 bits, so not within the reference's own bounds; but the same model.
            shutil.copy(BASE / "reference.safetensors", to)
            document = last_json(run("verify", to, "--output", "json"))
            errors = [out["relative_error"] for out in document["runs"][0]["outputs"]]
            self.assertTrue(errors and all(0 < error < 0.02 for error in errors), errors)

    def test_wrong_arguments_leave_nothing_behind(self):
        with tempfile.TemporaryDirectory() as place:
            to = pathlib.Path(place) / "codes"
            for arguments, says in ((("--group", "128"), "groups of 128"), (("--group", "7"), "groups of 7"),
                                    (("--precision", "int5"), "int5"), (("--group", "0"), "")):
                self.refused("quantize", BASE, *arguments, "--to", to, says=says)
                self.assertEqual(list(pathlib.Path(place).iterdir()), [])
            self.refused("quantize", BASE, says="--to")


main()

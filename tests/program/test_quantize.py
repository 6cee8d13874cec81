"""`silica quantize`: a checkpoint of codes out of a plain one."""
import json
import pathlib
import shutil
import struct
import tempfile

from helpers import BASE, ProgramTest, last_json, main, run


def with_hole(directory, gigabytes):
    """BASE with so many gigabytes of further tensors, 64 MiB each, which are a hole in the file."""
    shutil.copytree(BASE, directory)
    path = directory / "model.safetensors"
    with open(path, "r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        rest = file.read()
        end = len(rest)
        for i in range(gigabytes * 16):
            header[f"extra.{i}"] = {"dtype": "F32", "shape": [1 << 24], "data_offsets": [end, end + (1 << 26)]}
            end += 1 << 26
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        file.seek(0)
        file.write(struct.pack("<Q", len(text)) + text + rest)
        file.truncate(8 + len(text) + end)


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

    def test_what_has_no_room_is_refused_before_anything_is_written(self):
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            to = place / "codes"
            arguments = ("--precision", "int8", "--group", "32")
            self.refused("quantize", BASE, *arguments, "--to", to, env={"SILICA_FREE_MB": "0"},
                         says=["not enough memory to quantise", "0 MiB are free"])
            large = place / "large"
            with_hole(large, shutil.disk_usage(place).free // 10**9 + 100)
            self.refused("quantize", large, *arguments, "--to", to,
                         says=["The disk of", str(to), "the quantised checkpoint takes"])
            self.refused("quantize", large, *arguments, "--to", to, env={"SILICA_FREE_MB": "32"},
                         says=["'extra.", "takes 64 MiB"])
            self.assertEqual(list(place.iterdir()), [large])
            self.done("quantize", BASE, *arguments, "--to", to, "--no-budget", env={"SILICA_FREE_MB": "0"})


main()

"""`silica detect`: pictures to boxes, drawn pictures and masks, beside what transformers finds (golden/detr/chain)."""
import json
import struct
import zlib

from helpers import GOLDEN, ProgramTest, main, read_safetensors

CHAIN = GOLDEN.parent / "detr" / "chain"
LABELS = ["wall", "cat", "kite, large", "Düne", "grass"]


def expected(name, threshold):
    tensors = read_safetensors(CHAIN / "expected.safetensors")[0]
    stem = f"{name.split('.')[0]}.boxes-{threshold}."
    numbers = lambda key, form: [n[0] for n in struct.iter_unpack("<" + form, tensors[stem + key][2])]
    boxes = numbers("boxes", "f")
    return [{"label": LABELS[label], "score": score, "box": boxes[4 * i:4 * i + 4]}
            for i, (label, score) in enumerate(zip(numbers("labels", "q"), numbers("scores", "f")))]


def rows_of_png(path):
    """Height, width and the bytes of each row of a PNG file of red, green and blue."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert (depth, colour) == (8, 2)
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, rows, before = zlib.decompress(packed), [], bytearray(3 * width)
    for y in range(height):
        kind, line = raw[y * (3 * width + 1)], bytearray(raw[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
        for i in range(len(line)):
            a, b, c = (line[i - 3] if i >= 3 else 0), before[i], (before[i - 3] if i >= 3 else 0)
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, nearest)[kind]) % 256
        rows.append(bytes(line))
        before = line
    return height, width, rows


class Detect(ProgramTest):
    def same(self, results, wanted):
        self.assertEqual([r["label"] for r in results], [w["label"] for w in wanted])
        for result, want in zip(results, wanted):
            self.assertAlmostEqual(result["score"], want["score"], delta=2e-3)
            for key, corner in zip(("xmin", "ymin", "xmax", "ymax"), want["box"]):
                self.assertAlmostEqual(result["box"][key], corner, delta=0.1)

    def test_boxes_are_those_of_transformers_in_json(self):
        files = [str(CHAIN / name) for name in ("wide.png", "turned.jpg", "wide.png")]
        for threshold, more in (("0.1", ("--threshold", "0.1")), ("0.5", ()), ("0.1", ("--threshold", "0.1", "--batch-size", "4"))):
            document = json.loads(self.done("detect", CHAIN, *files, "--output", "json", *more).stdout)
            self.assertEqual([d["files"] for d in document], [[f] for f in files])
            for one, name in zip(document, ("wide.png", "turned.jpg", "wide.png")):
                self.same(one["results"], expected(name, threshold))
        self.assertEqual(json.loads(self.done("detect", CHAIN, files[0], "--threshold", "1", "--output", "json").stdout),
                         [{"files": [files[0]], "results": []}])

    def test_lines_go_on_after_a_file_that_is_refused(self):
        broken = self.directory / "broken.jpg"
        broken.write_bytes(b"\xff\xd8\xff no picture")
        files = [CHAIN / "wide.png", broken, CHAIN / "turned.jpg"]
        process = self.refused("detect", CHAIN, *files, "--output", "jsonl", says="broken.jpg")
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        self.same(lines[0]["results"], expected("wide.png", 0.5))
        self.assertIn("error", lines[1])
        self.same(lines[2]["results"], expected("turned.jpg", 0.5))
        table = self.refused("detect", CHAIN, *files, says="broken.jpg").stdout.splitlines()
        self.assertEqual(len(table), 3)
        self.assertIn("error", table[1])
        self.assertEqual(self.refused("detect", CHAIN, *files, "--output", "json", says="broken.jpg").stdout, "")

    def test_the_drawn_picture_has_boxes_where_they_were_found(self):
        out = self.directory / "drawn.png"
        plain = rows_of_png(CHAIN / "wide.png")
        process = self.done("detect", CHAIN, CHAIN / "wide.png", "--draw", out, "--output", "json")
        height, width, rows = rows_of_png(out)
        self.assertEqual((height, width), plain[:2])
        changed = {(x, y) for y in range(height) for x in range(width) if rows[y][3 * x:3 * x + 3] != plain[2][y][3 * x:3 * x + 3]}
        found = expected("wide.png", 0.5)
        self.same(json.loads(process.stdout)[0]["results"], found)
        for one in found:
            xmin, ymin, xmax, ymax = one["box"]
            middle = int((ymin + ymax) / 2)
            near = lambda x: any((round(x) + d, middle) in changed for d in (-1, 0, 1))
            self.assertTrue(xmin < 0 or near(xmin), one)
            self.assertTrue(xmax >= width or near(xmax), one)
        # nothing is drawn where nothing is found
        self.done("detect", CHAIN, CHAIN / "wide.png", "--draw", out, "--threshold", "1")
        self.assertEqual(rows_of_png(out), plain)

    def test_masks_have_a_colour_for_each_segment(self):
        out = self.directory / "masks.png"
        tensors = read_safetensors(CHAIN / "expected.safetensors")[0]
        for kind, more in (("pipeline", ()), ("semantic", ("--segments", "semantic"))):
            self.done("detect", CHAIN, CHAIN / "turned.jpg", "--masks", out, *more)
            height, width, rows = rows_of_png(out)
            dtype, shape, data = tensors[f"turned.{kind}.map"]
            self.assertEqual([height, width], shape)
            colours = {}
            for y in range(height):
                for x in range(width):
                    number = struct.unpack("b", data[y * width + x:y * width + x + 1])[0]
                    colours.setdefault(number, {})
                    pixel = rows[y][3 * x:3 * x + 3]
                    colours[number][pixel] = colours[number].get(pixel, 0) + 1
            most = {n: max(c, key=c.get) for n, c in colours.items()}
            self.assertEqual(len(set(most.values())), len(most))
            for number, pixels in colours.items():  # but for pixels where two masks are as large as each other
                self.assertGreaterEqual(pixels[most[number]], 0.99 * sum(pixels.values()))
                nothing = number < (0 if kind == "semantic" else 1)
                self.assertEqual(most[number] == b"\0\0\0", nothing)

    def test_wrong_flags_and_checkpoints_are_refused_and_nothing_is_written(self):
        wide, out = CHAIN / "wide.png", self.directory / "out.png"
        self.refused("detect", CHAIN, says="no file")
        self.refused("detect", CHAIN, wide, "--threshold", "high", says=("--threshold", "0 to 1"))
        self.refused("detect", CHAIN, wide, "--threshold", "1.5", says="--threshold")
        self.refused("detect", CHAIN, wide, "--segments", "all", "--masks", out, says=("--segments", "panoptic"))
        self.refused("detect", CHAIN, wide, wide, "--draw", out, says=("--draw", "one"))
        self.refused("detect", CHAIN, wide, "--batch-size", "0", says="--batch-size")
        self.refused("detect", CHAIN, wide, "--threshold", "nan", says="--threshold")
        self.refused("detect", CHAIN, self.directory / "none.jpg", "--draw", out, says="none.jpg")
        for places, says in ((("--draw", self.directory / "none" / "out.png"), ("--draw", "out.png", "no directory")),
                             (("--draw", out, "--masks", self.directory / "none" / "m.png"), ("--masks", "m.png")),
                             (("--draw", self.directory), ("is a directory", "--draw")),
                             (("--draw", out, "--masks", self.directory), ("is a directory", "--masks")),
                             (("--draw", ""), "--draw names no file"),
                             (("--draw", out, "--masks", self.directory / "." / "out.png"), "both")):
            for output in ("table", "json", "jsonl"):
                process = self.refused("detect", CHAIN, wide, *places, "--output", output, says=says)
                self.assertEqual((process.stdout, len(process.stderr.splitlines())), ("", 1), places)
        own = self.copy(CHAIN)  # the checkpoint's own files are none to write to
        (own / "preprocessor_config.json").write_bytes((CHAIN / "preprocessor_config.json").read_bytes())
        for flag in ("--draw", "--masks"):
            for name in ("model.safetensors", "config.json", "preprocessor_config.json"):
                before = (own / name).read_bytes()
                self.refused("detect", own, wide, flag, own / name, says=(flag, name, "would be lost"))
                self.assertEqual((own / name).read_bytes(), before)
        self.refused("detect", self.copy(CHAIN, architectures=["DetrModel"]), wide, says=("DetrModel", "finds no objects"))
        boxes = self.copy(CHAIN, architectures=["DetrForObjectDetection"])
        (boxes / "preprocessor_config.json").write_bytes((CHAIN / "preprocessor_config.json").read_bytes())
        self.refused("detect", boxes, wide, "--masks", out, says=("DetrForObjectDetection", "no masks"))
        self.same(json.loads(self.done("detect", boxes, wide, "--output", "json").stdout)[0]["results"],
                  expected("wide.png", 0.5))
        (boxes / "preprocessor_config.json").unlink()
        self.refused("detect", boxes, wide, says="preprocessor_config.json")
        self.assertFalse(out.exists())


if __name__ == "__main__":
    main()

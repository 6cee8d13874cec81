"""`silica preprocess`: pictures, videos and sounds to tensors, with no weights in the directory."""
import json
import pathlib
import struct

from helpers import GOLDEN, ProgramTest, level, main, png, read_safetensors, run

SOUNDS = pathlib.Path(__file__).resolve().parent.parent / "golden" / "sounds"
VIDEOS = pathlib.Path(__file__).resolve().parent.parent / "input" / "video" / "golden"


def planes(height, width, seed):
    return [level(x, y, seed, c) for c in range(3) for y in range(height) for x in range(width)]


def wav(path, samples, rate):
    """A WAV file of floating point."""
    data = struct.pack(f"<{len(samples)}f", *samples)
    head = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    path.write_bytes(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", len(head)) + head +
                     b"data" + struct.pack("<I", len(data)) + data)
    return path


def noise(count):
    """As tests/golden/make_sounds.py makes it."""
    made, state = [], count
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        made.append(((state >> 16) - 32768) / 32768 * 2.0**-(i // 1000 % 8))
    return made


class Preprocess(ProgramTest):
    def processor(self, name="ViTImageProcessor", config=None, **keys):
        """A directory with a processor that leaves the levels as they are, but for `keys`."""
        directory = self.directory / f"processor{len(list(self.directory.iterdir()))}"
        directory.mkdir()
        keys = {"do_resize": False, "do_center_crop": False, "do_rescale": False, "do_normalize": False, **keys}
        (directory / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": name, **keys}))
        if config is not None:
            (directory / "config.json").write_text(json.dumps(config))
        return directory

    def tensors(self, *args):
        out = self.directory / "out.safetensors"
        self.done("preprocess", *args, "--to", out)
        return read_safetensors(out)[0]

    def refused_whole(self, *args, says=()):
        """Nothing on stdout, nothing written, nothing overwritten."""
        out = self.directory / "kept.safetensors"
        out.write_text("before")
        process = self.refused("preprocess", *args, "--to", out, says=says)
        self.assertEqual(process.stdout, "")
        self.assertEqual(len(process.stderr.splitlines()), 1, process.stderr)
        self.assertEqual(out.read_text(), "before")
        out.unlink()
        self.refused("preprocess", *args, "--to", out, says=says)
        self.assertFalse(out.exists())
        self.assertEqual(list(self.directory.glob("kept*")), [])

    def test_several_pictures_are_one_batch(self):
        files = [png(self.directory / f"{i}.png", 5, 7, i) for i in range(9)]
        tensors = self.tensors(self.processor(), *files)
        self.assertEqual(list(tensors), ["pixel_values"])
        dtype, shape, data = tensors["pixel_values"]
        self.assertEqual((dtype, shape), ("U8", [9, 3, 5, 7]))
        self.assertEqual(list(data), [v for i in range(9) for v in planes(5, 7, i)])
        one = self.tensors(self.processor(), files[4], "--threads", "1")["pixel_values"]
        self.assertEqual((one[1], list(one[2])), ([1, 3, 5, 7], planes(5, 7, 4)))

    def test_levels_become_numbers(self):
        file = png(self.directory / "a.png", 4, 3)
        processor = self.processor("CLIPImageProcessor", do_rescale=True, do_normalize=True, image_mean=[0.5, 0.25, 0.0],
                                   image_std=[0.5, 2.0, 1.0])
        dtype, shape, data = self.tensors(processor, file)["pixel_values"]
        self.assertEqual((dtype, shape), ("F32", [1, 3, 4, 3]))
        values = struct.unpack(f"<{4 * 3 * 3}f", data)
        mean, std = [0.5, 0.25, 0.0], [0.5, 2.0, 1.0]
        for i, (value, byte) in enumerate(zip(values, planes(4, 3, 0))):
            self.assertAlmostEqual(value, (byte / 255 - mean[i // 12]) / std[i // 12], places=6)

    def test_the_colour_that_a_file_hides_is_white_where_the_processor_converts(self):
        hidden = GOLDEN.parent / "images" / "pictures" / "hidden_rgb_8.png"  # (1, 2, 3) of (1, 2, 3), (1, 2, 4), (0, 2, 3), (1, 2, 3)
        plain = [1, 1, 0, 1, 2, 2, 2, 2, 3, 4, 3, 3]
        for processor, want in ((self.processor("CLIPImageProcessor"), [255, 1, 0, 255, 255, 2, 2, 255, 255, 4, 3, 255]),
                                (self.processor("CLIPImageProcessor", do_convert_rgb=False), plain), (self.processor(), plain)):
            self.assertEqual(list(self.tensors(processor, hidden)["pixel_values"][2]), want)

    def test_detr_pads_and_says_where(self):
        files = [png(self.directory / "a.png", 2, 5, 1), png(self.directory / "b.png", 4, 3, 2)]
        tensors = self.tensors(self.processor("DetrImageProcessor", do_pad=True), *files)
        dtype, shape, data = tensors["pixel_values"]
        self.assertEqual((dtype, shape), ("U8", [2, 3, 4, 5]))
        expected = []
        for (height, width, seed) in ((2, 5, 1), (4, 3, 2)):
            expected += [level(x, y, seed, c) if y < height and x < width else 0
                         for c in range(3) for y in range(4) for x in range(5)]
        self.assertEqual(list(data), expected)
        dtype, shape, data = tensors["pixel_mask"]
        self.assertEqual((dtype, shape), ("I64", [2, 4, 5]))
        self.assertEqual(list(struct.unpack("<40q", data)),
                         [int(y < h and x < w) for h, w in ((2, 5), (4, 3)) for y in range(4) for x in range(5)])
        self.refused_whole(self.processor("DetrImageProcessor", do_pad=False), *files, says=("b.png", "one batch"))
        others = self.tensors(self.processor("ViTImageProcessor", do_pad=True), *files)
        self.assertEqual(list(others), ["pixel_values"])
        self.assertEqual(list(others["pixel_values"][2]), expected)

    def test_xclip_takes_pictures_as_frames(self):
        files = [png(self.directory / f"{i}.png", 5, 4, i) for i in range(3)]
        for processor in (self.processor("VideoMAEImageProcessor"),
                          self.processor("CLIPImageProcessor", {"model_type": "xclip"})):
            dtype, shape, data = self.tensors(processor, *files)["pixel_values"]
            self.assertEqual((dtype, shape), ("U8", [1, 3, 3, 5, 4]))
            self.assertEqual(list(data), [v for i in range(3) for v in planes(5, 4, i)])
            self.assertEqual(self.tensors(processor, files[0])["pixel_values"][1], [1, 1, 3, 5, 4])
        self.refused_whole(self.processor("VideoMAEImageProcessor"), *files, png(self.directory / "c.png", 5, 5),
                           says=("c.png", "one batch"))

    def test_xclip_takes_a_video(self):
        video = VIDEOS / "rgb.mkv"
        config = {"model_type": "xclip", "vision_config": {"num_frames": 4}}
        shape, data = self.tensors(self.processor("VideoMAEImageProcessor", config), video)["pixel_values"][1:]
        self.assertEqual(shape, [1, 4, 3, 14, 20])
        self.assertEqual(list(data), [v for i in range(4) for v in planes(14, 20, i * 11 // 4)])
        processor = self.processor("VideoMAEImageProcessor")
        self.assertEqual(self.tensors(processor, video)["pixel_values"][1], [1, 8, 3, 14, 20])
        self.assertEqual(self.tensors(processor, video, "--frames", "11")["pixel_values"][1], [1, 11, 3, 14, 20])
        self.refused_whole(processor, video, "--frames", "12", says=("rgb.mkv", "11 frames"))
        self.refused_whole(processor, VIDEOS / "sound.m4a", says=("sound.m4a", "no video stream"))
        cut = self.directory / "cut.mkv"
        cut.write_bytes(video.read_bytes()[:2000])
        self.refused_whole(processor, cut, says="cut.mkv")
        self.refused_whole(processor, video, video, says="rgb.mkv")  # two files are pictures
        self.refused_whole(self.processor(), video, says="rgb.mkv")

    def test_a_file_that_is_refused_ends_it(self):
        good = png(self.directory / "good.png", 5, 7)
        bad = self.directory / "bad.png"
        bad.write_bytes(good.read_bytes()[:-20])
        processor = self.processor()
        self.refused_whole(processor, good, bad, good, says="bad.png")
        self.refused_whole(processor, good, self.directory / "none.jpg", says="none.jpg")
        self.refused_whole(processor, self.directory, says=str(self.directory))
        self.refused_whole(processor, good, png(self.directory / "wide.png", 5, 8), says=("wide.png", "one batch"))

    def test_wrong_arguments_are_refused(self):
        good = png(self.directory / "good.png", 5, 7)
        processor = self.processor()
        out = self.directory / "o.safetensors"
        self.refused("preprocess", processor, "--to", out, says="no file")
        self.refused("preprocess", processor, good, says="--to")
        self.refused("preprocess", processor, good, "--to", self.directory, says="is a directory")
        before = good.read_bytes()
        self.refused("preprocess", processor, good, "--to", good, says=("a file that is read", "another file"))
        (self.directory / "same.png").symlink_to(good)
        self.refused("preprocess", processor, good, "--to", self.directory / "same.png", says="a file that is read")
        self.assertEqual(good.read_bytes(), before)
        for name in ("model.safetensors", "preprocessor_config.json"):  # nor files of the checkpoint
            file = processor / name
            if not file.exists():
                file.write_bytes(b"weights")
            before = file.read_bytes()
            self.refused("preprocess", processor, good, "--to", file, says=("a file that is read", name))
            self.assertEqual(file.read_bytes(), before)
        self.refused("preprocess", processor, good, "--to", self.directory / "none" / "o", says="none")
        self.refused("preprocess", processor, good, "--to", out, "--frames", "3", says="--frames")
        self.refused("preprocess", self.processor("VideoMAEImageProcessor"), good, "--to", out, "--frames", "0",
                     says="--frames")
        empty = self.directory / "empty"
        empty.mkdir()
        self.refused("preprocess", empty, good, "--to", out, says="preprocessor_config.json")
        self.assertFalse(out.exists())

    def test_sounds_are_one_batch(self):
        cases = [("whisper", 8000, [3000, 9000], {"input_features": ("F32", [2, 20, 100]),
                                                  "attention_mask": ("I64", [2, 100])}),
                 ("wav2vec2", 16000, [300, 500], {"input_values": ("F32", [2, 500])}),
                 ("wav2vec2_mask", 16000, [300, 500, 1], {"input_values": ("F32", [3, 500]),
                                                          "attention_mask": ("I64", [3, 500])}),
                 ("clap_fusion", 8000, [3000, 30000, 8500], {"input_features": ("F32", [3, 4, 9, 64]),
                                                             "is_longer": ("BOOL", [3, 1])})]
        for case, rate, lengths, forms in cases:
            with self.subTest(case):
                files = [wav(self.directory / f"{n}.wav", noise(n), rate) for n in lengths]
                seed = ["--seed", 5] if case == "clap_fusion" else []
                tensors = self.tensors(SOUNDS / "features" / case, *files, *seed)
                self.assertEqual({name: t[:2] for name, t in tensors.items()}, forms)
                got = []
                for name in forms:
                    dtype, _, data = tensors[name]
                    code = {"F32": "f", "I64": "q", "BOOL": "B"}[dtype]
                    got += struct.unpack(f"<{len(data) // struct.calcsize('<' + code)}{code}", data)
                expected = (SOUNDS / "features" / case / "expected.f32").read_bytes()
                expected = struct.unpack(f"<{len(expected) // 4}f", expected)
                self.assertEqual(len(got), len(expected))
                self.assertLess(max(abs(a - b) for a, b in zip(got, expected)), 1e-3)

    def test_sounds_are_resampled(self):
        names = ["s16.wav", "s16.flac", "vorbis.ogg", "layer3.mp3"]
        for name in names:
            tensors = self.tensors(SOUNDS / "features" / "wav2vec2_plain", SOUNDS / name)
            data = tensors["input_values"][2]
            values = struct.unpack(f"<{len(data) // 4}f", data)
            expected = (SOUNDS / (name + ".16000")).read_bytes()
            expected = struct.unpack(f"<{len(expected) // 2}h", expected)
            self.assertEqual(len(values), len(expected))
            self.assertLess(max(abs(a - b / 32767) for a, b in zip(values, expected)), 2e-4)

    def test_the_seed_decides_what_clap_draws(self):
        file = wav(self.directory / "long.wav", noise(30000), 8000)
        clap = SOUNDS / "features" / "clap_fusion"
        first = self.tensors(clap, file)
        self.assertEqual(first, self.tensors(clap, file, "--seed", 0))
        self.assertNotEqual(first, self.tensors(clap, file, "--seed", 1))

    def test_sounds_that_are_refused(self):
        whisper = SOUNDS / "features" / "whisper"
        good = wav(self.directory / "good.wav", noise(900), 8000)
        bad = self.directory / "bad.wav"
        for data, says in [(b"", "is empty"), (good.read_bytes()[:-100], "cut short"), (b"hello", "is no sound"),
                           (png(self.directory / "p.png", 2, 2).read_bytes(), "a PNG picture")]:
            bad.write_bytes(data)
            self.refused_whole(whisper, good, bad, says=["bad.wav", says])
        wav(bad, [0.5, float("nan")], 8000)
        self.refused_whole(whisper, bad, says=["bad.wav", "not finite"])
        self.refused_whole(whisper, self.directory / "none.wav", says=["none.wav", "no such file"])
        self.refused_whole(whisper, self.directory, says=["is a directory"])
        layer3 = (SOUNDS / "layer3.mp3").read_bytes()
        for at in range(500, len(layer3), 400):  # libmpg123 has nothing to say
            bad.write_bytes(layer3[:at] + b"\xff\x00\x55" + layer3[at + 3:])
            process = run("preprocess", whisper, bad, "--to", self.directory / "x.safetensors")
            self.assertLessEqual(len(process.stderr.splitlines()), 1, process.stderr)
            self.assertIn(process.returncode, [0, 2])
        self.refused_whole(whisper, good, "--frames", 3, says=["--frames"])
        self.refused_whole(whisper, good, "--seed", -1, says=["--seed"])
        self.refused_whole(self.processor(), png(self.directory / "q.png", 2, 2), "--seed", 1, says=["--seed"])


if __name__ == "__main__":
    main()

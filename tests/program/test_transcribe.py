"""`silica transcribe` for CTC models: text, times, subtitles and refusals, against transformers' pipeline."""
import json
import pathlib
import shutil

from helpers import ProgramTest, main, run

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "transcribe"


class Transcribe(ProgramTest):
    def heard(self, name, *flags):
        return run("transcribe", GOLDEN / name, GOLDEN / name / "sound.wav", "--precision", "float32", *flags)

    def test_text_and_times(self):
        for name in ("base", "large", "languages"):
            want = json.loads((GOLDEN / name / "expected.json").read_text())["whole"]
            out = self.heard(name)
            self.assertEqual((out.returncode, out.stdout, out.stderr), (0, want["text"] + "\n", ""))
            for kind in ("char", "word"):
                got = json.loads(self.heard(name, "--timestamps", kind, "--output", "json").stdout)
                self.assertEqual(got["text"], want["text"])
                self.assertEqual([c["text"] for c in got["chunks"]], [c[0] for c in want[kind + "s"]])
                for chunk, (_, begin, end) in zip(got["chunks"], want[kind + "s"]):
                    self.assertAlmostEqual(chunk["timestamp"][0], begin, 6)
                    self.assertAlmostEqual(chunk["timestamp"][1], end, 6)
            self.assertNotIn("chunks", json.loads(self.heard(name, "--output", "json").stdout))

    def test_subtitles(self):
        words = json.loads((GOLDEN / "base" / "expected.json").read_text())["whole"]["words"]
        srt = self.heard("base", "--timestamps", "word", "--output", "srt").stdout.split("\n\n")
        self.assertEqual(len(srt), len(words))
        self.assertRegex(srt[0], r"^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n" + words[0][0])
        vtt = self.heard("base", "--timestamps", "word", "--output", "vtt").stdout
        self.assertRegex(vtt, r"^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n")

    def test_many_files(self):
        sound = GOLDEN / "base" / "sound.wav"
        out = run("transcribe", GOLDEN / "base", sound, sound, "--output", "json", "--precision", "float32")
        self.assertEqual([o["file"] for o in json.loads(out.stdout)], [str(sound)] * 2)
        lines = run("transcribe", GOLDEN / "base", sound, sound, "--output", "jsonl", "--precision", "float32").stdout
        self.assertEqual([json.loads(line)["file"] for line in lines.splitlines()], [str(sound)] * 2)

    def test_language(self):
        directory = self.directory / "mms"
        shutil.copytree(GOLDEN / "languages", directory)
        missing = run("transcribe", directory, directory / "sound.wav", "--language", "xyz")
        self.assertEqual((missing.returncode, missing.stdout), (2, ""))
        self.assertIn("adapter.xyz.safetensors", missing.stderr)
        other = run("transcribe", directory, directory / "sound.wav", "--language", "deu")
        self.assertEqual(other.returncode, 2)
        self.assertIn("'deu'", other.stderr)

    def test_refused(self):
        def refused(words, *arguments):
            out = run("transcribe", *arguments)
            self.assertEqual((out.returncode, out.stdout), (2, ""))
            self.assertEqual(len(out.stderr.splitlines()), 1, out.stderr)
            self.assertIn(words, out.stderr)
        base, sound = GOLDEN / "base", GOLDEN / "base" / "sound.wav"
        refused("no sound", base)
        refused("segment", base, sound, "--timestamps", "segment")
        refused("--timestamps word", base, sound, "--output", "srt")
        refused("xml", base, sound, "--output", "xml")
        refused("config.json", base, base / "config.json")
        refused("nothing.wav", base, base / "nothing.wav")


if __name__ == "__main__":
    main()

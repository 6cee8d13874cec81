"""`silica transcribe`: text, times, subtitles and refusals, against transformers' pipeline (CTC) and generate (Whisper)."""
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
            self.assertEqual((out.returncode, out.stdout), (0, want["text"] + "\n"))
            self.assertRegex(out.stderr, r"^\S*sound\.wav: 0\.\d s of sound in \d+\.\d\d s, real-time factor \d+\.\d{3}\n$")
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
        refused("--task", base, sound, "--task", "translate")

    def test_pieces(self):
        for name in ("base", "large", "languages"):
            want = json.loads((GOLDEN / name / "expected.json").read_text())["pieces"]
            for stride in ("0.03", "0.03,0.03"):
                got = json.loads(self.heard(name, "--chunk-length", "0.21", "--stride", stride, "--timestamps", "word",
                                            "--output", "json").stdout)
                self.assertEqual(got["text"], want["text"])
                self.assertEqual([c["text"] for c in got["chunks"]], [c[0] for c in want["words"]])

    def test_refused_among_others(self):
        base, sound = GOLDEN / "base", GOLDEN / "base" / "sound.wav"
        out = run("transcribe", base, base / "nothing.wav", sound, "--output", "jsonl")
        self.assertEqual(out.returncode, 2)
        first, second = (json.loads(line) for line in out.stdout.splitlines())
        self.assertIn("nothing.wav", first["error"])
        self.assertIn("text", second)
        self.assertEqual(run("transcribe", base, sound, base / "nothing.wav", "--output", "json").stdout, "")


class Whisper(ProgramTest):
    def heard(self, *flags, name="whisper", sound="long.wav"):
        out = run("transcribe", GOLDEN / name, GOLDEN / name / sound, "--precision", "float32", *flags)
        self.assertEqual(out.returncode, 0, out.stderr)
        return out

    FLAGS = dict(words=["--timestamps", "word"], timestamps=["--timestamps", "segment"],
                 condition_on_previous=["--condition-on-previous"])
    VALUES = dict(language="--language", task="--task", beams="--beams", prompt_text="--prompt",
                  max_new_tokens="--max-new-tokens", logprob_threshold="--logprob-threshold",
                  no_speech_threshold="--no-speech-threshold", temperatures="--temperature")

    def test_every_case(self):
        for name in ("whisper", "whisper_english"):
            for want in json.loads((GOLDEN / name / "expected.json").read_text()):
                options, flags = want["options"], []
                for key, value in options.items():
                    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                    flags += self.FLAGS[key] if key in self.FLAGS else [self.VALUES[key], text]
                out = json.loads(self.heard(*flags, "--output", "json", name=name, sound=want["sound"]).stdout)
                self.assertEqual((out["text"], out["language"]), (want["text"], want["language"]))
                self.assertEqual("chunks" in out, "words" in options or "timestamps" in options)
                segments = [s for s in want["segments"] if s["text"].strip()]
                chunks = ([w for s in segments for w in s["words"]] if "words" in options else
                          [[s["text"], s["start"], s["end"]] for s in segments])
                for chunk, (text, start, end) in zip(out.get("chunks", []), chunks, strict="chunks" in out):
                    self.assertEqual(chunk["text"], text)
                    self.assertAlmostEqual(chunk["timestamp"][0], start, delta=0.0201)
                    self.assertAlmostEqual(chunk["timestamp"][1], end, delta=0.0201)

    def test_text_and_subtitles(self):
        want = json.loads((GOLDEN / "whisper" / "expected.json").read_text())
        plain = next(w for w in want if w["sound"] == "long.wav" and not w["options"])
        out = self.heard()
        self.assertEqual(out.stdout, plain["text"].strip() + "\n")
        self.assertRegex(out.stderr, r"2\.3 s of sound in .* real-time factor")
        segments = [s for s in plain["segments"] if s["text"].strip()]
        srt = self.heard("--output", "srt").stdout.split("\n\n")
        self.assertEqual(len(srt), len(segments))
        self.assertRegex(srt[0], r"^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n\S")
        words = self.heard("--output", "vtt", "--timestamps", "word").stdout
        self.assertRegex(words, r"^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n\S")
        self.assertEqual(words.count(" --> "), sum(len(s["words"]) for w in want if w["sound"] == "long.wav" and
                                                   w["options"] == {"words": True} for s in w["segments"] if s["text"].strip()))

    def test_many_files(self):
        directory = GOLDEN / "whisper"
        files = [directory / "short.wav", directory / "long.wav", directory / "short.wav"]
        alone = [json.loads(run("transcribe", directory, f, "--output", "json").stdout)["text"] for f in files]
        for batch in ("1", "2", "3"):
            out = run("transcribe", directory, *files, "--output", "jsonl", "--batch-size", batch)
            self.assertEqual([json.loads(line)["text"] for line in out.stdout.splitlines()], alone)
        out = run("transcribe", directory, directory / "config.json", *files, "--output", "jsonl", "--batch-size", "2")
        self.assertEqual(out.returncode, 2)
        self.assertEqual([json.loads(line).get("text") for line in out.stdout.splitlines()], [None, *alone])

    def test_refused(self):
        def refused(words, *flags, name="whisper"):
            out = run("transcribe", GOLDEN / name, GOLDEN / name / "short.wav", *flags)
            self.assertEqual((out.returncode, out.stdout), (2, ""))
            self.assertEqual(len(out.stderr.splitlines()), 1, out.stderr)
            self.assertIn(words, out.stderr)
        refused("char", "--timestamps", "char")
        refused("klingon", "--language", "klingon")
        refused("English only", "--language", "en", name="whisper_english")
        refused("sing", "--task", "sing")
        refused("--temperature", "--temperature", "warm")
        refused("--beams", "--beams", "0")
        for value in ("nan", "inf", "-1", "0,nan", "1e", ""):
            refused("--temperature", "--temperature", value)
        refused("--logprob-threshold", "--logprob-threshold", "nan")
        refused("--stride", "--stride", "1")
        refused("--chunk-length", "--chunk-length", "nan")
        refused("--chunk-length", "--chunk-length", "0")
        refused("--stride", "--chunk-length", "0.9", "--stride", "0.4,0.5")
        refused("--timestamps word", "--chunk-length", "0.9", "--timestamps", "word")
        refused("at once", "--chunk-length", "20")

    def test_pieces(self):
        short = json.loads(self.heard("--output", "json", sound="short.wav").stdout)["text"]
        for flags in (["--chunk-length", "1"], ["--chunk-length", "0.9", "--stride", "0.1,0.2"]):
            self.assertEqual(json.loads(self.heard("--output", "json", *flags, sound="short.wav").stdout)["text"], short)
        out = json.loads(self.heard("--output", "json", "--chunk-length", "0.8", "--timestamps", "segment").stdout)
        self.assertEqual("".join(c["text"] for c in out["chunks"] if c["text"].strip()).strip(), out["text"].strip())
        batches = {self.heard("--chunk-length", "0.8", "--batch-size", n).stdout for n in ("1", "3", "8")}
        self.assertEqual(len(batches), 1)


if __name__ == "__main__":
    main()

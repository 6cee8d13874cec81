"""`silica describe`, and `silica preprocess --prompt`: prompts with pictures, and what is written after them."""
import json
import os
import pathlib
import pty
import shutil
import subprocess

from helpers import GOLDEN, PROGRAM, ProgramTest, main, png, read_safetensors, run

GOLDEN = GOLDEN.parent / "image_text"
NAMES = ("llava", "llava_next")


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def golden(name):
    return json.loads((GOLDEN / name / "answers.json").read_text())


class Describe(ProgramTest):
    def pictures(self, entry):
        return [png(self.directory / f"{h}x{w}_{seed}.png", h, w, seed) for h, w, seed in entry["images"]]

    def spoilt(self, name="llava", **files):
        """A copy of a golden checkpoint with keys of files set: processor_config={"patch_size": 3}."""
        to = self.directory / f"checkpoint{len(list(self.directory.iterdir()))}"
        shutil.copytree(GOLDEN / name, to)
        for file, keys in files.items():
            path = to / f"{file}.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | keys))
        return to

    def test_json_has_what_transformers_writes(self):
        for name in NAMES:
            for entry in golden(name)["answers"]:
                process = self.done("describe", GOLDEN / name, *self.pictures(entry), "--prompt", entry["text"],
                                    "--max-new-tokens", entry["max_new_tokens"], "--output", "json")
                self.assertEqual(process.stdout.count("\n"), 1)
                out = json.loads(process.stdout)
                self.assertEqual(out["prompt"], entry["prompt"])
                self.assertEqual(out["generated_ids"], entry["generated"])
                self.assertEqual(out["generated_text"], entry["answer"])
                self.assertEqual(out["prompt_tokens"], len(entry["ids"]))
                self.assertEqual(len(out["image_tokens"]), len(entry["images"]))
                self.assertEqual(out["finish_reason"], "stop" if entry["generated"][-1] == 2 else "length")

    def test_several_prompts_are_answered_as_each_alone(self):
        for name in NAMES:
            entries = [e for e in golden(name)["answers"] if e["max_new_tokens"] == golden(name)["answers"][0]["max_new_tokens"]]
            new = entries[0]["max_new_tokens"]
            pictures = self.pictures(entries[0])
            both = json.loads(self.done("describe", GOLDEN / name, *pictures, "--prompt", entries[0]["text"], "--prompt",
                                        "[what, is he]", "--max-new-tokens", new, "--output", "json").stdout)
            self.assertEqual(len(both), 2)
            self.assertEqual(both[0]["generated_ids"], entries[0]["generated"])
            for out, text in zip(both, (entries[0]["text"], "[what, is he]")):
                alone = json.loads(self.done("describe", GOLDEN / name, *pictures, "--prompt", text, "--max-new-tokens", new,
                                             "--output", "json").stdout)
                for key in ("prompt", "generated_text", "generated_ids", "prompt_tokens", "image_tokens", "finish_reason"):
                    self.assertEqual(out[key], alone[key])
            # Pictures go to image tokens in turn, over the prompts.
            files = [png(self.directory / f"{i}.png", 20 + i, 41, i) for i in range(3)]
            prompts = ("<image> a cat", "nothing", "<image> and <image>")
            lines = self.done("describe", GOLDEN / name, *files, *(w for p in prompts for w in ("--prompt", p)),
                              "--max-new-tokens", 5, "--output", "jsonl").stdout.splitlines()
            for line, prompt, own in zip(lines, prompts, (files[:1], [], files[1:]), strict=True):
                alone = json.loads(self.done("describe", GOLDEN / name, *own, "--prompt", prompt, "--max-new-tokens", 5,
                                             "--output", "json").stdout)
                self.assertEqual(json.loads(line)["generated_ids"], alone["generated_ids"])
            self.refused("describe", GOLDEN / name, *files[:2], "--prompt", "<image>", "--prompt", "<image><image>",
                         says=("3 image tokens", "2 pictures"))

    def test_chats(self):
        for name in NAMES:
            talk = golden(name)["talk"]
            messages, files = [], []
            for turn in talk:
                own = self.pictures(turn)
                messages.append({"role": "user", "content": [{"type": "image"} for _ in own] + [{"type": "text", "text": turn["text"]}]})
                files += own
                out = json.loads(self.done("describe", GOLDEN / name, *files, "--chat", json.dumps(messages),
                                           "--max-new-tokens", 7, "--output", "json").stdout)
                self.assertEqual((out["prompt"], out["generated_ids"]), (turn["prompt"], turn["generated"]))
                messages.append({"role": "assistant", "content": turn["answer"]})
            named = json.loads(json.dumps(messages[:1]))
            for item, file in zip(named[0]["content"], self.pictures(talk[0])):
                item["path"] = str(file)
            chats = self.directory / "chats.json"
            chats.write_text(json.dumps([named, [{"role": "user", "content": "the cat"}]]))
            out = json.loads(self.done("describe", GOLDEN / name, "--chat", chats, "--max-new-tokens", 7, "--output", "json").stdout)
            self.assertEqual(out[0]["generated_ids"], talk[0]["generated"])
            self.assertEqual(out[1]["image_tokens"], [])
        llava, cat = GOLDEN / "llava", png(self.directory / "cat.png", 20, 30)
        for chat, *files, says in (
                ('[{"role": "user", "content": [{"type": "image"}]}]', ("1 image", "0 pictures")),
                ('[{"role": "user", "content": "what"}]', cat, ("0 images", "1 picture")),
                ('[{"role": "user", "content": [{"type": "video"}]}]', "video"),
                ('[{"role": "user", "content": [{"type": "image", "url": "https://x.org/a.png"}]}]', "x.org"),
                ('[{"role": "user", "content": [{"type": "image", "path": "/absent.png"}]}]', "absent.png"),
                ('[{"content": "what"}]', "role"), ('[{"role": "user"}]', "content"), ("[]", "no messages"), ("{}", "list"),
                ('[["what"]]', "messages")):
            self.refused("describe", llava, *files, "--chat", chat, says=says)
        self.refused("describe", llava, "--chat", "[]", "--prompt", "x", says=("--prompt", "--chat"))

    def test_text_comes_alone_on_standard_output(self):
        entry = golden("llava")["answers"][0]
        arguments = ("describe", GOLDEN / "llava", *self.pictures(entry), "--max-new-tokens", entry["max_new_tokens"])
        self.assertEqual(self.done(*arguments, "--prompt", entry["text"]).stdout, entry["answer"] + "\n")
        self.assertEqual(self.done(*arguments, stdin=entry["text"]).stdout, entry["answer"] + "\n")

    def test_greedy_whatever_the_checkpoint_says(self):
        to = self.spoilt()
        (to / "generation_config.json").write_text('{"do_sample": true, "temperature": 9.0, "eos_token_id": 2}')
        entry = golden("llava")["answers"][0]
        out = self.done("describe", to, *self.pictures(entry), "--prompt", entry["text"], "--max-new-tokens",
                        entry["max_new_tokens"])
        self.assertEqual(out.stdout, entry["answer"] + "\n")

    def test_a_talk_on_a_terminal(self):
        for name in NAMES:
            talk = golden(name)["talk"]
            lines = []
            for turn in talk:
                lines += [f"/image {file}" for file in self.pictures(turn)] + [turn["text"]]
            lines += ["/image /nowhere.png", "/clear", "/exit"]
            ours, theirs = pty.openpty()
            process = subprocess.Popen([str(PROGRAM), "describe", str(GOLDEN / name), "--max-new-tokens", "7"],
                                       stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            os.close(theirs)
            os.write(ours, "".join(line + "\n" for line in lines).encode())
            out, errors = process.communicate(timeout=120)
            os.close(ours)
            self.assertEqual(process.returncode, 0, errors)
            self.assertEqual(out, "".join(turn["answer"] + "\n" for turn in talk))
            self.assertIn("/nowhere.png", errors)

    def test_preprocess_writes_what_the_model_reads(self):
        for name in NAMES:
            for entry in golden(name)["answers"]:
                to = self.directory / "out.safetensors"
                self.done("preprocess", GOLDEN / name, *self.pictures(entry), "--prompt", entry["text"], "--to", to)
                tensors, _ = read_safetensors(to)
                ints = lambda key: list(memoryview(tensors[key][2]).cast("q"))
                tokens = len(entry["ids"])
                self.assertEqual((tensors["input_ids"][:2], ints("input_ids")), (("I64", [1, tokens]), entry["ids"]))
                self.assertEqual(ints("attention_mask"), [1] * tokens)
                wanted = {"input_ids", "attention_mask"}
                if entry["images"]:
                    wanted.add("pixel_values")
                    self.assertEqual(tensors["pixel_values"][:2], ("F32", entry["shape"]))
                    self.assertEqual(fnv(tensors["pixel_values"][2]), entry["pixels"])
                if "image_sizes" in entry:
                    wanted.add("image_sizes")
                    self.assertEqual(ints("image_sizes"), [side for size in entry["image_sizes"] for side in size])
                self.assertEqual(set(tensors), wanted)

    def test_preprocess_of_tiles_without_a_prompt(self):
        entry = golden("llava_next")["answers"][2]
        to = self.directory / "out.safetensors"
        self.done("preprocess", GOLDEN / "llava_next", *self.pictures(entry), "--to", to)
        tensors, _ = read_safetensors(to)
        self.assertEqual(set(tensors), {"pixel_values", "image_sizes"})
        self.assertEqual(tensors["pixel_values"][:2], ("F32", entry["shape"]))
        self.assertEqual(fnv(tensors["pixel_values"][2]), entry["pixels"])

    def test_what_does_not_fit_is_one_sentence(self):
        cat, llava = png(self.directory / "cat.png", 20, 30), GOLDEN / "llava"
        broken, absent = self.directory / "broken.png", self.directory / "absent.png"
        broken.write_bytes(cat.read_bytes()[:90])
        for command, more in (("describe", ()), ("preprocess", ("--to", self.directory / "out.safetensors"))):
            self.refused(command, llava, cat, "--prompt", "<image><image>", *more, says=("2 image tokens", "1 picture."))
            self.refused(command, llava, "--prompt", "<image>", *more, says=("1 image tokens", "0 pictures"))
            self.refused(command, llava, cat, broken, "--prompt", "what?", *more, says="broken.png")
            self.refused(command, llava, absent, "--prompt", "what?", *more, says="absent.png")
            self.refused(command, GOLDEN.parent / "llama" / "base", cat, "--prompt", "what?", *more, says="llama")
        self.assertFalse((self.directory / "out.safetensors").exists())
        self.refused("describe", llava, cat, "--prompt", "what?", "--output", "table", says=("table", "json"))
        self.refused("describe", llava, cat, "--prompt", "what?", "--max-new-tokens", "0", says="--max-new-tokens")
        self.refused("describe", self.spoilt(processor_config={"num_additional_image_tokens": 0}), cat, "--prompt",
                     "what?", says=("15", "16"))
        self.refused("describe", self.spoilt(processor_config={"patch_size": 99}), cat, "--prompt", "what?",
                     says=("patch_size", "99"))
        self.refused("describe", self.spoilt(preprocessor_config={"image_processor_type": "FuyuImageProcessor"}), cat,
                     "--prompt", "what?", says="FuyuImageProcessor")
        grids = json.loads((GOLDEN / "llava_next" / "processor_config.json").read_text())["image_processor"]
        self.refused("preprocess", self.spoilt("llava_next", processor_config={
            "image_processor": grids | {"image_grid_pinpoints": [[1 << 19, 1 << 19]]}}), cat, "--prompt", "what?", "--to",
            self.directory / "out.safetensors", says=("image_grid_pinpoints", "tiles"))


if __name__ == "__main__":
    main()

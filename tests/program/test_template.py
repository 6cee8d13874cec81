"""`silica template`: chats to prompts."""
import json

from helpers import ProgramTest, main

TEMPLATE = ("{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
            "{% if tools %}[{{ tools | length }} tools]{% endif %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
            "{% if messages[0].role == 'nobody' %}{{ raise_exception('nobody speaks') }}{% endif %}")
HELLO = {"role": "user", "content": "héllo"}


class Template(ProgramTest):
    def setUp(self):
        super().setUp()
        (self.directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE, "bos_token": "<s>"}))

    def lines(self, *requests):
        text = "\n".join(json.dumps(r) for r in requests) + "\n\n"
        out = self.done("template", self.directory, "--jsonl", "-", stdin=text).stdout
        (self.directory / "in.jsonl").write_text(text)
        self.assertEqual(self.done("template", self.directory, "--jsonl", self.directory / "in.jsonl").stdout, out)
        return [json.loads(line) for line in out.splitlines()]

    def test_each_line_becomes_a_prompt(self):
        self.assertEqual(
            self.lines({"messages": [HELLO]}, {"messages": [HELLO, HELLO], "add_generation_prompt": True},
                       {"messages": [HELLO], "tools": [{"name": "f"}, {"name": "g"}]}),
            [{"text": "<s><|user|>héllo"}, {"text": "<s><|user|>héllo<|user|>héllo<|assistant|>"},
             {"text": "<s><|user|>héllo[2 tools]"}])

    def test_variables_reach_the_template(self):
        (self.directory / "chat_template.jinja").write_text("{{ a|default('-')|tojson }} {{ b is defined }} {{ bos_token }}")
        (self.directory / "additional_chat_templates").mkdir()
        (self.directory / "additional_chat_templates" / "rag.jinja").write_text("{{ documents[0].text }} {{ a }}")
        lines = [{"messages": [HELLO]}, {"messages": [HELLO], "variables": {"a": 10**30, "bos_token": "!"}},
                 {"messages": [HELLO], "template": "rag", "documents": [{"text": "d"}]}]
        run = lambda *flags: [json.loads(line).get("text") for line in self.done(
            "template", self.directory, "--jsonl", "-", *flags, stdin="\n".join(map(json.dumps, lines))).stdout.splitlines()]
        self.assertEqual(run(), ['"-" False <s>', f"{10**30} False !", "d "])
        self.assertEqual(run("--template-var", "a=false", "--template-var", "b=some text"),
                         ["false True <s>", f"{10**30} True !", "d False"])
        self.assertEqual(run("--template-var", "a=[1, 12345678901234567890]")[0], "[1, 12345678901234567890] False <s>")
        self.assertEqual(run("--template", "rag", "--template-var", "a=x=y")[2], "d x=y")
        refused = lambda *flags, says: self.refused("template", self.directory, "--jsonl", "-", *flags, stdin="", says=says)
        refused("--template-var", "nothing", says="NAME=VALUE")
        self.refused("template", self.directory, "--jsonl", "-", stdin=json.dumps({"messages": [HELLO], "variables": 1}), says="variables")

    def test_what_the_template_refuses_is_a_line_of_its_own(self):
        first, second = self.lines({"messages": [{"role": "nobody", "content": ""}]}, {"messages": [HELLO]})
        self.assertIn("nobody speaks", first["error"])
        self.assertIn("text", second)

    def test_wrong_input_is_refused(self):
        refused = lambda stdin, says: self.refused("template", self.directory, "--jsonl", "-", stdin=stdin, says=says)
        refused("5\n", "Line 1")
        refused("\n{\n", "Line 2")
        refused("{}\n", "messages")
        refused('{"messages": [], "add_generation_prompt": 1}\n', "add_generation_prompt")
        self.refused("template", self.directory, says="--jsonl")
        self.refused("template", self.directory, "--jsonl", self.directory / "missing", says="missing")
        (self.directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{% for %}"}))
        refused('{"messages": [{"role": "user"}]}\n', "chat_template")
        (self.directory / "tokenizer_config.json").write_text("{}")
        refused('{"messages": [{"role": "user"}]}\n', "no chat template")


if __name__ == "__main__":
    main()

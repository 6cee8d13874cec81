"""The program as `./run` compiles it first: with the commands that measure. It asks `./run` for the others."""
from helpers import BASE, PROGRAM, ProgramTest, main

MEASURING = PROGRAM and PROGRAM.with_name("silica-measuring")


class MeasuringOnly(ProgramTest):
    def test_it_measures(self):
        self.done("bench", "--model", BASE, "--hardware", "cpu", "--iterations", "1", "--warmup", "0", program=MEASURING)
        self.assertIn("float32", self.done("runs", "show", "last", program=MEASURING).stdout)
        for command in ("plan", "devices", "support"):
            self.done(command, program=MEASURING)

    def test_its_help_names_the_commands_that_it_lacks(self):
        text = self.done("--help", program=MEASURING).stdout
        left_out = text.partition("Not compiled into this program")[2].partition("\n")[0]
        for command in ("report", "compare", "verify", "generate", "embed", "transcribe", "describe"):
            self.assertIn(command, left_out)
        self.assertNotIn("bench", left_out)
        self.assertNotIn("Not compiled", self.done("--help").stdout)

    def test_a_command_that_it_lacks_is_refused_with_the_remedy(self):
        self.refused("embed", BASE, "a text", program=MEASURING, says=("command embed is not compiled", "SILICA_EVERY_COMMAND"))
        self.refused("embedd", program=MEASURING, says="did you mean embed?")

    def test_started_by_run_it_calls_that_for_every_command(self):
        script = self.directory / "run"
        script.write_text('#!/bin/sh\nfor word in "$@"; do echo "[$word]"; done\n')
        script.chmod(0o755)
        said = self.done("embed", BASE, "a  text", program=MEASURING, env={"SILICA_RUN": str(script)}).stdout
        self.assertEqual(said.splitlines(), ["[--every-command]", "[embed]", f"[{BASE}]", "[a  text]"])


if __name__ == "__main__":
    main()

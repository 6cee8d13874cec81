"""silica doctor: findings with their remedies, the exit code that says whether one hinders, and what silica devices shows."""
import json
import os
import unittest

from helpers import PROGRAM, SIMULATED, ProgramTest, last_json, main, run


class Doctor(ProgramTest):
    def examined(self, code, **env):
        """The document of --output json, on this machine with these variables."""
        process = run("doctor", "--output", "json", env={"HF_HUB_CACHE": str(self.directory), **env})
        document = last_json(process)
        self.assertEqual((process.returncode, process.stderr), (code if code is not None else int(document["hinders"]), ""))
        for finding in document["findings"]:
            self.assertEqual(set(finding), {"severity", "check", "what", "remedy"})
            self.assertIn(finding["severity"], ("stops", "slows", "note"))
            self.assertTrue(finding["what"].endswith(".") and len(finding["remedy"]) > 10, finding)
        return document

    def what(self, document, severity):
        return " ".join(f["what"] for f in document["findings"] if f["severity"] == severity)

    def test_a_finding_that_hinders_ends_with_1_and_all_are_in_the_table(self):
        document = self.examined(1, PYTORCH_ENABLE_MPS_FALLBACK="1", CUDA_LAUNCH_BLOCKING="1")
        self.assertTrue(document["hinders"])
        for name in ("PYTORCH_ENABLE_MPS_FALLBACK", "CUDA_LAUNCH_BLOCKING"):
            self.assertIn(name, self.what(document, "slows"))
        process = run("doctor", env={"HF_HUB_CACHE": str(self.directory), "PYTORCH_ENABLE_MPS_FALLBACK": "1"})
        self.assertEqual(process.returncode, 1)
        self.assertIn("slows  environment  PYTORCH_ENABLE_MPS_FALLBACK is on", process.stdout)
        self.assertEqual(process.stdout.count("Remedy: "), len(document["findings"]) - 1)
        self.assertLessEqual(max(map(len, process.stdout.splitlines())), 200)

    def test_the_hub_cache_is_looked_at(self):
        self.assertIn("holds no model", self.what(self.examined(None), "note"))
        model = self.directory / "models--org--name"
        (model / "refs").mkdir(parents=True)
        (model / "refs" / "main").write_text("0123")
        document = self.examined(1)
        self.assertIn("A ref of org/name names a snapshot", self.what(document, "stops"))
        self.assertIn("hf download org/name.", [f["remedy"] for f in document["findings"] if f["check"] == "hub"])
        snapshot = model / "snapshots" / "0123"
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").symlink_to("../../blobs/none")
        self.assertIn("links to blobs that are not there", self.what(self.examined(1), "stops"))
        missing = run("doctor", "--output", "json", env={"HF_HUB_CACHE": str(self.directory / "none")})
        self.assertIn("There is no hub cache", self.what(last_json(missing), "note"))

    def test_a_token_is_never_printed(self):
        process = run("doctor", env={"HF_TOKEN": "'hf_secret'"})
        self.assertIn("HF_TOKEN does not look like a token", process.stdout)
        self.assertNotIn("secret", process.stdout + process.stderr)

    def test_facts_of_the_machine_are_the_ones_of_devices(self):
        document, devices = self.examined(None), last_json(self.done("devices", "--output", "json"))
        self.assertEqual(document["machine"], devices["machine"])
        self.assertEqual(document["versions"], devices["versions"])
        machine = devices["machine"]
        for key in ("os", "os_version", "arch", "chip", "cores", "memory_mb", "cpu_capability"):
            self.assertTrue(machine[key], key)
        if os.path.exists("/sys/devices/system/cpu/cpu0/topology/core_cpus_list"):
            self.assertGreaterEqual(machine["cores_physical"], 1)
        if machine["arch"] in ("x86_64", "aarch64", "arm64"):
            self.assertTrue({"avx2", "avx", "neon"} & set(machine["instructions"]), machine)

    def test_a_simulated_device_is_named(self):
        if SIMULATED is None or not SIMULATED.exists():
            self.skipTest("no simulated device here")
        process = run("doctor", "--output", "json", program=SIMULATED)
        self.assertIn("mps of this program is simulated", self.what(last_json(process), "note"))

    def test_help_says_what_the_exit_code_means_and_other_outputs_are_refused(self):
        self.assertIn("Exit codes: 0 nothing hinders", self.done("doctor", "--help").stdout)
        self.refused("doctor", "--output", "csv", says="csv")


if __name__ == "__main__":
    main()

"""`silica bench` of models that generate."""
import unittest

from helpers import GOLDEN, ProgramTest, SIMULATED, last_json, main

LLAMA = GOLDEN.parent / "llama" / "base"
QWEN2 = GOLDEN.parent / "qwen2" / "sliding"
TINY = ("--hardware", "cpu", "--iterations", "3", "--warmup", "1", "--threads", "1", "--prompt-tokens", "8")


class BenchGeneration(ProgramTest):
    def test_a_row_has_the_fields_of_the_peers(self):
        row = last_json(self.done("bench", "--model", LLAMA, *TINY, "--new-tokens", "5", "--output", "json"))
        self.assertEqual((row["family"], row["task"], row["prompt_tokens"], row["new_tokens"]), ("llama", "generate", 8, 5))
        self.assertEqual(row["inputs"], {"input_ids": [1, 8]})
        self.assertEqual(len(row["samples"]), 3)
        self.assertEqual(len(row["tokens_head"]), 5)
        self.assertTrue(all(0 <= t < 60 for t in row["tokens_head"]))
        for sample, ms in zip(row["samples"], row["samples_ms"]):
            decode_ms = 4 * 1000 / sample["decode_tokens_per_s"]
            self.assertAlmostEqual(sample["prefill_ms"] + decode_ms, ms, delta=0.01 * ms + 0.01)
        self.assertEqual(row["prefill_ms"], sorted(s["prefill_ms"] for s in row["samples"])[1])
        rates = [s["decode_tokens_per_s"] for s in row["samples"]]
        self.assertAlmostEqual(row["decode_tokens_per_s"], sorted(rates)[1], delta=0.01)
        self.assertAlmostEqual(row["decode_tokens_per_s_mean"], sum(rates) / 3, delta=0.01)
        self.assertAlmostEqual(row["prefill_tokens_per_s"], 8000 / row["prefill_ms"], delta=0.01 * row["prefill_tokens_per_s"])
        # two layers of keys and values: 2 heads of 4, 13 places, float32
        self.assertEqual(row["cache_mb"], round(2 * 2 * 2 * 4 * 13 * 4 / 2**20, 1))
        self.assertGreater(row["memory_bandwidth_gb_per_s"], 0.1)
        self.assertGreater(row["bandwidth_share"], 0)
        # all parameters but the 60 x 16 word vectors, and the keys and values of 10.5 tokens on average
        self.assertAlmostEqual(row["step_bytes"], 4 * (row["parameters"] - 60 * 16) + 2 * 2 * 2 * 4 * 4 * 9.5, delta=1)

    def test_bandwidth_is_measured_where_a_gigabyte_is_free(self):
        row = last_json(self.done("bench", "--model", LLAMA, *TINY, "--new-tokens", "5", "--output", "json",
                                  env={"SILICA_FREE_MB": "1000"}))
        self.assertTrue(row["served"])
        self.assertNotIn("memory_bandwidth_gb_per_s", row)
        self.assertLess(row["peak_rss_mb"], 1000)

    def test_the_tokens_are_those_that_the_prompt_alone_begins(self):
        whole = last_json(self.done("bench", "--model", LLAMA, *TINY, "--new-tokens", "3", "--output", "json"))
        prompt = last_json(self.done("bench", "--model", LLAMA, *TINY, "--task", "prefill", "--output", "json"))
        self.assertEqual((prompt["task"], prompt["new_tokens"]), ("prefill", 1))
        self.assertEqual(prompt["tokens_head"], whole["tokens_head"][:1])
        self.assertNotIn("decode_tokens_per_s", prompt)
        self.assertNotIn("bandwidth_share", prompt)
        self.assertIsNone(prompt["samples"][0]["decode_tokens_per_s"])

    def test_lists_of_prompts_and_new_tokens_are_rows(self):
        rows = last_json(self.done("bench", "--model", QWEN2, "--hardware", "cpu", "--iterations", "1", "--warmup", "0",
                                   "--prompt-tokens", "4,9", "--new-tokens", "2,3", "--batch-size", "1,2",
                                   "--precision", "float32,bfloat16", "--output", "json"))["rows"]
        kinds = {(r["prompt_tokens"], r["new_tokens"], r["batch_size"], r["precision"]) for r in rows}
        self.assertEqual((len(rows), len(kinds)), (16, 16))
        self.assertTrue(all(r["served"] for r in rows))

    def test_tables_for_people_and_programs(self):
        for output, start in (("table", "model"), ("md", "| model"), ("csv", "model,")):
            text = self.done("bench", "--model", f"{LLAMA}", *TINY, "--new-tokens", "3", "--output", output).stdout
            self.assertTrue(text.startswith(start), text)
            self.assertIn("decode t/s", text)
        both = self.done("bench", "--model", f"{LLAMA},{GOLDEN / 'base'}", *TINY, "--new-tokens", "3").stdout
        self.assertIn("decode t/s", both)
        self.assertIn("median ms", both)

    def test_impossible_lengths_are_refused(self):
        self.refused("bench", "--model", LLAMA, *TINY, "--new-tokens", "57", says=("8 tokens", "57", "64 positions"))
        for value in ("0", "-1", "x", "1,,2"):
            self.refused("bench", "--model", LLAMA, *TINY, "--new-tokens", value, says="--new-tokens")

    @unittest.skipIf(SIMULATED is None or not SIMULATED.exists(), "no simulated device here")
    def test_a_simulated_device_gives_the_same_tokens_and_no_bandwidth(self):
        command = ("bench", "--model", LLAMA, "--iterations", "1", "--warmup", "0", "--prompt-tokens", "8",
                   "--new-tokens", "5", "--precision", "float32", "--output", "json", "--hardware", "cpu,mps")
        cpu, mps = last_json(self.done(*command, program=SIMULATED))["rows"]
        self.assertEqual(cpu["tokens_head"], mps["tokens_head"])
        self.assertTrue(mps["simulated"])
        self.assertNotIn("bandwidth_share", mps)
        self.assertEqual(mps["fallbacks"], [])


if __name__ == "__main__":
    main()

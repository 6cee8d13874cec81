#pragma once
/// The subcommands. Each adds itself to the command line and returns what it does when it is chosen: an exit code.

#include <functional>

namespace CLI {
class App;
}

namespace silica::bench {

/// Exit codes of the program.
enum Exit : int { done = 0, comparison_failed = 1, bad_input = 2, no_hardware = 3, stopped_by = 128 };  // + a signal

using Action = std::function<int()>;

Action add_bench(CLI::App& app);
Action add_runs(CLI::App& app);
Action add_verify(CLI::App& app);
Action add_devices(CLI::App& app);
Action add_plan(CLI::App& app);
Action add_doctor(CLI::App& app);
Action add_support(CLI::App& app);
Action add_tokenize(CLI::App& app);
Action add_embed(CLI::App& app);
Action add_classify(CLI::App& app);
Action add_match(CLI::App& app);
Action add_detect(CLI::App& app);
Action add_template(CLI::App& app);
Action add_generate(CLI::App& app);
Action add_describe(CLI::App& app);
Action add_preprocess(CLI::App& app);
Action add_transcribe(CLI::App& app);
Action add_quantize(CLI::App& app);
Action add_report(CLI::App& app);
Action add_compare(CLI::App& app);

}  // namespace silica::bench

#include "every_command.hpp"

namespace silica::bench {
namespace {

/// A command that bench/CMakeLists.txt leaves out where SILICA_EVERY_COMMAND is off.
template <Action (*add)(CLI::App&)>
constexpr Action (*later)(CLI::App&) = SILICA_EVERY_COMMAND ? add : nullptr;

}  // namespace

const std::vector<KnownCommand>& every_command() {
    static const std::vector<KnownCommand> all = {
        {"bench", add_bench},
        {"plan", add_plan},
        {"devices", add_devices},
        {"doctor", add_doctor},
        {"support", add_support},
        {"quantize", add_quantize},
        {"runs", add_runs},
        {"report", later<add_report>},
        {"compare", later<add_compare>},
        {"verify", later<add_verify>},
        {"generate", later<add_generate>},
        {"embed", later<add_embed>},
        {"classify", later<add_classify>},
        {"detect", later<add_detect>},
        {"match", later<add_match>},
        {"describe", later<add_describe>},
        {"transcribe", later<add_transcribe>},
        {"tokenize", later<add_tokenize>},
        {"template", later<add_template>},
        {"preprocess", later<add_preprocess>},
    };
    return all;
}

}  // namespace silica::bench

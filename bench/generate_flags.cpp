#include "generate_flags.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <locale>
#include <sstream>

#include "arguments.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/generate/read_config.hpp"

namespace silica::bench {
namespace {

constexpr std::int64_t most_tokens = std::int64_t{1} << 30;

double number(const char* option, const std::string& text, double least, double most) {
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    double value = 0;
    if (!(in >> value) || !(in >> std::ws).eof() || !(value >= least && value <= most)) {
        std::ostringstream wanted;
        if (most < 1e9)
            wanted << "a number from " << least << " to " << most << " is wanted.";
        else
            wanted << "a number of " << least << " or more is wanted.";
        throw InputError(std::string(option) + " is " + quote(text) + ".", wanted.str());
    }
    return value;
}

void set(std::optional<std::int64_t>& value, const char* option, const Flag& flag, std::int64_t least) {
    if (flag) value = whole_number(option, *flag, least, most_tokens);
}

void set(std::optional<double>& value, const char* option, const Flag& flag, double least, double most) {
    if (flag) value = number(option, *flag, least, most);
}

}  // namespace

void GenerateFlags::add_to(Command& c) {
    c.option("--max-new-tokens", max_new_tokens, "most tokens to write. Default: as the checkpoint says, else 256");
    c.option("--min-new-tokens", min_new_tokens, "no end before so many");
    c.option("--temperature", temperature, "samples, more freely the higher; 0: the most likely token");
    c.option("--top-k", top_k, "samples from the k most likely tokens; 0: from all");
    c.option("--top-p", top_p, "samples from the most likely tokens that make up this share");
    c.option("--min-p", min_p, "samples from tokens at least this share as likely as the most likely");
    c.option("--repetition-penalty", repetition_penalty, "over 1: less likely what was there before");
    c.option("--seed", seed, "of the samples. Default: 0");
    c.option("--num-beams", num_beams, "beam search with so many beams");
    c.option("--stop", stop, "text that ends the answer; may be given several times");
    c.option("--config", config, "JSON, or a file of it, with further keys of generation_config.json");
}

generate::GenerationConfig GenerateFlags::parsed() const {
    generate::GenerationConfig c;
    if (config) c = generation_keys(json_argument("--config", *config), "--config");
    set(c.max_new_tokens, "--max-new-tokens", max_new_tokens, 1);
    set(c.min_new_tokens, "--min-new-tokens", min_new_tokens, 0);
    set(c.temperature, "--temperature", temperature, 0, 1e9);
    set(c.top_k, "--top-k", top_k, 0);
    set(c.top_p, "--top-p", top_p, 0, 1);
    set(c.min_p, "--min-p", min_p, 0, 1);
    set(c.num_beams, "--num-beams", num_beams, 1);
    set(c.repetition_penalty, "--repetition-penalty", repetition_penalty, 1e-6, 1e9);
    if (seed) c.seed = static_cast<std::uint64_t>(whole_number("--seed", *seed, 0, INT64_MAX));
    if (temperature || top_k || top_p || min_p) c.do_sample = true;
    if (temperature && c.temperature == 0.0) {
        c.do_sample = false;
        c.temperature.reset();
    }
    if (!stop.empty()) c.stop_strings = stop;
    return c;
}

generate::GenerationConfig generation_keys(const Json& json, const std::string& place) {
    try {
        if (!json.is_object()) throw InputError(place + " is " + json.brief() + ".", "write an object of keys.");
        generate::GenerationConfig known;
        for (const auto& [key, value] : json.object()) {
            bool there = key == "use_cache";
            for_each_member(known, [&](std::string_view name, const auto&) { there = there || name == key; });
            if (!there)
                throw InputError(place + " has " + quote(key) + ", which is no key that is known.",
                                 "see docs/generation.md for the keys.");
        }
        return generate::detail::from_json(json, place);
    } catch (const ConfigError& e) {
        throw InputError(e.problem(), e.remedy());
    }
}

Json json_argument(const std::string& option, const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    const bool is_json = first != std::string::npos && (text[first] == '{' || text[first] == '[');
    std::string content = text;
    if (text == "-") {
        content.assign(std::istreambuf_iterator<char>(std::cin), {});
    } else if (!is_json) {
        std::error_code error;
        std::ifstream file(text, std::ios::binary);
        if (!file || std::filesystem::is_directory(text, error)) {
            throw InputError(option + " is " + quote(text) + ", which is neither JSON nor a file that can be read.",
                             "give JSON that begins with { or [, or the name of a file with it.");
        }
        content.assign(std::istreambuf_iterator<char>(file), {});
    }
    try {
        return Json::parse(content, is_json ? option : text == "-" ? "standard input" : text);
    } catch (const ConfigError& e) {
        throw InputError(e.problem(), "correct the JSON.");
    }
}

}  // namespace silica::bench

#include "suite/imported.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench::suite {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::uintmax_t largest = std::uintmax_t{1} << 30U;

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
    throw InputError(quote(file.string()) + " " + what + ".",
                     "name a file that `silica bench --output json` or --output jsonl wrote.");
}

std::string text_of(const fs::path& file) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error || !fs::is_regular_file(file)) refuse(file, "is no file that can be read");
    if (size > largest) refuse(file, "is larger than 1 GiB");
    std::ifstream in(file, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    if (!in) refuse(file, "could not be read");
    return text;
}

/// The objects of the file: a document, or one in each line.
std::vector<ordered_json> documents_of(const fs::path& file) {
    const std::string text = text_of(file);
    std::vector<ordered_json> documents;
    auto whole = ordered_json::parse(text, nullptr, false);
    if (!whole.is_discarded()) {
        documents.push_back(std::move(whole));
        return documents;
    }
    for (std::size_t at = 0, line = 1; at < text.size(); ++line) {
        const auto end = std::min(text.find('\n', at), text.size());
        const std::string_view content = std::string_view(text).substr(at, end - at);
        at = end + 1;
        if (content.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        auto document = ordered_json::parse(content, nullptr, false);
        if (document.is_discarded()) refuse(file, "is not JSON (line " + std::to_string(line) + ")");
        documents.push_back(std::move(document));
    }
    return documents;
}

ordered_json object_at(const ordered_json& from, const char* name) {
    return from.contains(name) && from[name].is_object() ? from[name] : ordered_json::object();
}

std::string text_at(const ordered_json& row, const char* name) {
    return row.contains(name) && row[name].is_string() ? row[name].get<std::string>() : std::string();
}

bool is_true(const ordered_json& row, const char* name, bool otherwise) {
    return row.contains(name) && row[name].is_boolean() ? row[name].get<bool>() : otherwise;
}

State state_of(const ordered_json& row) {
    if (is_true(row, "served", false)) return State::measured;
    try {
        if (const auto named = text_at(row, "state"); !named.empty()) return state_named(named);
    } catch (const InputError&) {  // of a later version, perhaps: then what follows decides
    }
    return is_true(row, "available", true) ? State::failed : State::unavailable;
}

/// What must have been asked for to get this row.
ordered_json job_of(const ordered_json& row) {
    ordered_json job = ordered_json::object();
    for (const char* name :
         {"model", "family", "task", "precision", "loader", "weights", "new_tokens", "iterations", "warmup", "threads"})
        if (row.contains(name)) job[name] = row[name];
    job["hardware"] = row.contains("device") ? row["device"] : ordered_json(text_at(row, "hardware"));
    job["simulated"] = is_true(row, "simulated", false);
    job["batch"] = row.contains("batch_size") ? row["batch_size"] : ordered_json(1);
    ordered_json sizes = ordered_json::object();
    for (const char* name : {"prompt_tokens", "image_size", "audio_seconds", "frames"})
        if (row.contains(name)) sizes[name] = row[name];
    job["sizes"] = std::move(sizes);
    return job;
}

}  // namespace

StoredRow stored_row(ordered_json row) {
    StoredRow stored{.state = state_of(row), .reason = text_at(row, "reason"), .job = job_of(row)};
    stored.key = key_of(stored.job);
    if (row.contains("samples_ms") && row["samples_ms"].is_array())
        for (const auto& ms : row["samples_ms"])
            if (ms.is_number()) stored.samples_ms.push_back(ms.get<double>());
    if (row.contains("marks") && row["marks"].is_array())
        for (const auto& mark : row["marks"])
            if (mark.is_string()) stored.marks.push_back(mark.get<std::string>());
    const auto mark = [&](bool holds, const char* name) {
        if (holds && std::ranges::find(stored.marks, name) == stored.marks.end()) stored.marks.emplace_back(name);
    };
    mark(is_true(row, "simulated", false), "simulated");
    mark(text_at(row, "weights") == "random", "random weights");
    if (stored.state == State::measured) stored.row = std::move(row);
    return stored;
}

std::vector<RunWithRows> read_runs(const fs::path& file) {
    std::vector<RunWithRows> runs;
    const auto add = [&](const ordered_json& document, const ordered_json& row) {
        if (!row.is_object() || !row.contains("model") || !row.contains("served"))
            refuse(file, "is JSON, but not of rows that were measured");
        ordered_json machine = object_at(row, "machine");
        if (machine.empty()) machine = object_at(document, "machine");
        const ordered_json versions = object_at(row, "versions");
        auto found = std::ranges::find_if(
            runs, [&](const RunWithRows& r) { return r.run.machine == machine && r.run.versions == versions; });
        if (found == runs.end()) {
            runs.push_back({});
            found = runs.end() - 1;
            found->run.origin = file.filename().string();
            found->run.started = text_at(document, "started");
            found->run.finished = text_at(document, "finished");
            found->run.machine = std::move(machine);
            found->run.versions = versions;
        }
        found->rows.push_back(stored_row(row));
    };
    for (const auto& document : documents_of(file)) {
        if (!document.is_object()) refuse(file, "is JSON, but not of rows that were measured");
        if (!document.contains("rows")) {
            add(document, document);
        } else if (document["rows"].is_array()) {
            for (const auto& row : document["rows"]) add(document, row);
        } else {
            refuse(file, "is JSON, but not of rows that were measured");
        }
    }
    if (runs.empty()) refuse(file, "has no rows");
    return runs;
}

}  // namespace silica::bench::suite

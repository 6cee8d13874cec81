#include "suite/exchange.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "sizes.hpp"

namespace silica::bench::suite {
namespace {

using nlohmann::ordered_json;

constexpr int deepest = 64;  ///< arrays and objects inside each other

/// Reads fields and says what is wrong with them.
struct Reader {
    const std::string& origin;

    [[noreturn]] void refuse(const std::string& what) const {
        throw InputError(quote(origin) + ": " + what,
                         "give what `silica runs --export` or `silica bench --output json` wrote.");
    }
    [[nodiscard]] ordered_json object(const ordered_json& of, const char* field) const {
        const auto at = of.find(field);
        if (at == of.end() || at->is_null()) return ordered_json::object();
        if (!at->is_object()) refuse(std::string(field) + " is no object.");
        return *at;
    }
    [[nodiscard]] std::string text(const ordered_json& of, const char* field) const {
        const auto at = of.find(field);
        if (at == of.end() || at->is_null()) return {};
        if (!at->is_string()) refuse(std::string(field) + " is no text.");
        return at->get<std::string>();
    }
    [[nodiscard]] bool truth(const ordered_json& of, const char* field) const {
        const auto at = of.find(field);
        if (at == of.end() || at->is_null()) return false;
        if (!at->is_boolean()) refuse(std::string(field) + " is neither true nor false.");
        return at->get<bool>();
    }
    [[nodiscard]] std::vector<double> times(const ordered_json& of, const char* field) const {
        std::vector<double> all;
        const auto at = of.find(field);
        if (at == of.end() || at->is_null()) return all;
        if (!at->is_array()) refuse(std::string(field) + " is no array.");
        for (const auto& item : *at) {
            if (!item.is_number() || !std::isfinite(item.get<double>()) || item.get<double>() < 0)
                refuse(std::string(field) + " holds what is no time.");
            all.push_back(item.get<double>());
        }
        return all;
    }
    [[nodiscard]] std::vector<std::string> texts(const ordered_json& of, const char* field) const {
        std::vector<std::string> all;
        const auto at = of.find(field);
        if (at == of.end() || at->is_null()) return all;
        if (!at->is_array()) refuse(std::string(field) + " is no array.");
        for (const auto& item : *at) {
            if (!item.is_string()) refuse(std::string(field) + " holds what is no text.");
            all.push_back(item.get<std::string>());
        }
        return all;
    }
    /// A number of things, from `least` on.
    [[nodiscard]] std::int64_t whole(const ordered_json& of, const std::string& field, std::int64_t least,
                                     std::int64_t otherwise) const {
        const auto at = of.find(field);
        if (at == of.end() || at->is_null()) return otherwise;
        constexpr auto most = std::uint64_t{1} << 53U;  // all numbers of JSON up to here are exact everywhere
        const bool fits = at->is_number_integer() && (!at->is_number_unsigned() || at->get<std::uint64_t>() <= most);
        if (!fits || at->get<std::int64_t>() < least)
            refuse(field + " is no whole number from " + std::to_string(least) + ".");
        return at->get<std::int64_t>();
    }
    [[nodiscard]] const ordered_json& array(const ordered_json& of, const char* field) const {
        const auto at = of.find(field);
        if (at == of.end() || !at->is_array()) refuse(std::string(field) + " is no array.");
        return *at;
    }
    [[nodiscard]] ordered_json parse(std::string_view json) const {
        bool deep = false;
        const auto check = [&](int depth, ordered_json::parse_event_t, ordered_json&) {
            if (depth > deepest) deep = true;
            return !deep;
        };
        auto value = ordered_json::parse(json.begin(), json.end(), check, false);
        if (deep) refuse("it is nested too deeply.");
        if (value.is_discarded()) refuse("it is no JSON.");
        if (!value.is_object()) refuse("it is no JSON object.");
        return value;
    }
};

/// A row as `silica bench` prints it.
StoredRow row_of_bench(const Reader& read, const ordered_json& printed) {
    if (!printed.is_object()) read.refuse("a row is no object.");
    if (read.text(printed, "engine") != "silica") read.refuse("a row is not of the engine silica.");
    StoredRow row;
    row.row = printed;
    row.row.erase("machine");
    const bool served = read.truth(printed, "served");
    row.state = served ? State::measured : read.truth(printed, "available") ? State::failed : State::unavailable;
    if (!served) row.reason = read.text(printed, "reason");
    row.samples_ms = read.times(printed, "samples_ms");
    if (served && row.samples_ms.empty()) read.refuse("a row that was measured has no samples_ms.");

    auto& job = row.job;
    for (const char* field : {"model", "family", "task"}) job[field] = read.text(printed, field);
    if (job["model"] == "") read.refuse("a row has no model.");
    job["hardware"] = read.text(printed, "device");
    job["simulated"] = read.truth(printed, "simulated");
    job["precision"] = read.text(printed, "precision");
    job["loader"] = read.text(printed, "loader");
    job["weights"] = read.text(printed, "weights");
    job["batch"] = read.whole(printed, "batch_size", 1, 1);
    job["sizes"] = ordered_json::object();
    for (const auto& kind : size_kinds) {
        const std::string name(kind.name);
        if (printed.contains(name)) job["sizes"][name] = read.whole(printed, name, 0, 0);
    }
    job["new_tokens"] = read.whole(printed, "new_tokens", 0, 0);
    for (const char* field : {"iterations", "warmup", "threads", "group", "activations"})
        if (printed.contains(field)) job[field] = printed.at(field);
    row.key = key_of(job);

    row.marks = read.texts(printed, "marks");
    const auto mark = [&](const char* text) {
        if (std::ranges::find(row.marks, text) == row.marks.end()) row.marks.emplace_back(text);
    };
    if (job["simulated"] == true) mark("simulated");
    if (job["weights"] == "random") mark("random weights");
    return row;
}

StoredRow row_of_export(const Reader& read, const ordered_json& from) {
    if (!from.is_object()) read.refuse("a row is no object.");
    StoredRow row;
    try {
        row.state = state_named(read.text(from, "state"));
    } catch (const InputError& e) {
        read.refuse(e.problem());
    }
    row.reason = read.text(from, "reason");
    row.row = read.object(from, "row");
    row.samples_ms = read.times(from, "samples_ms");
    if (row.state == State::measured && row.samples_ms.empty())
        read.refuse("a row that was measured has no samples_ms.");
    row.marks = read.texts(from, "marks");
    row.job = read.object(from, "job");
    row.key = read.text(from, "key");
    if (row.key.empty()) read.refuse("a row has no key.");
    if (const auto at = from.find("seconds"); at != from.end() && at->is_number()) row.seconds = at->get<double>();
    return row;
}

}  // namespace

ordered_json exported(const Run& run, const std::vector<StoredRow>& rows) {
    ordered_json all = ordered_json::array();
    for (const auto& row : rows) {
        all.push_back({{"key", row.key},
                       {"state", name_of(row.state)},
                       {"reason", row.reason},
                       {"row", row.row},
                       {"samples_ms", row.samples_ms},
                       {"marks", row.marks},
                       {"job", row.job},
                       {"seconds", row.seconds}});
    }
    return {{"format", "silica-run"},
            {"version", 1},
            {"run",
             {{"name", run.name},
              {"started", run.started},
              {"finished", run.finished},
              {"command", run.command},
              {"shard", run.shard},
              {"origin", run.origin},
              {"machine", run.machine},
              {"versions", run.versions},
              {"conditions", run.conditions}}},
            {"rows", all}};
}

std::pair<Run, std::vector<StoredRow>> imported(std::string_view text, const std::string& origin) {
    const Reader read{origin};
    std::vector<ordered_json> documents;  // one, or with jsonl one for each line
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = text.substr(begin, end - begin);
        begin = end + 1;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        // an object over several lines is one document
        if (documents.empty() && !ordered_json::accept(line.begin(), line.end())) {
            documents.push_back(read.parse(text));
            break;
        }
        documents.push_back(read.parse(line));
    }
    if (documents.empty()) read.refuse("it is empty.");

    Run run;
    std::vector<StoredRow> rows;
    const ordered_json& first = documents.front();
    if (read.text(first, "format") == "silica-run") {
        const auto version = first.find("version");
        if (version == first.end() || *version != 1) read.refuse("it is of another version of Silica.");
        const auto from = read.object(first, "run");
        run = {.name = read.text(from, "name"),
               .started = read.text(from, "started"),
               .finished = read.text(from, "finished"),
               .command = read.text(from, "command"),
               .shard = read.text(from, "shard"),
               .machine = read.object(from, "machine"),
               .versions = read.object(from, "versions"),
               .conditions = read.object(from, "conditions")};
        for (const auto& row : read.array(first, "rows")) rows.push_back(row_of_export(read, row));
    } else {
        run.started = run.finished = now_utc();
        run.machine = read.object(first, "machine");
        for (const auto& document : documents) {
            if (document.contains("rows")) {
                for (const auto& row : read.array(document, "rows")) rows.push_back(row_of_bench(read, row));
            } else {
                rows.push_back(row_of_bench(read, document));
            }
        }
        if (rows.empty()) read.refuse("it has no rows.");
        run.versions = read.object(rows.front().row, "versions");
    }
    run.origin = origin;
    return {run, rows};
}

std::pair<Run, std::vector<StoredRow>> imported_file(const std::filesystem::path& file) {
    std::error_code error;
    const auto kind = std::filesystem::status(file, error).type();
    const bool endless = kind == std::filesystem::file_type::character || kind == std::filesystem::file_type::block;
    if (endless || kind == std::filesystem::file_type::directory)
        throw InputError(quote(file.string()) + " is no file of rows.", "name another with --import.");
    std::ifstream in(file, std::ios::binary);
    if (!in)
        throw InputError("There is no file " + quote(file.string()) + " that can be read.",
                         "name another with --import.");
    std::ostringstream text;
    text << in.rdbuf();
    auto result = imported(text.str(), file.filename().string());
    if (result.first.name.empty()) result.first.name = file.stem().string();
    return result;
}

}  // namespace silica::bench::suite

#include "suite/report/entry.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace silica::bench::suite::report {
namespace {

using nlohmann::ordered_json;

struct SizeName {
    std::string_view name, unit;
};
constexpr std::array size_names{SizeName{"prompt_tokens", "tokens"}, SizeName{"image_size", "px"},
                                SizeName{"audio_seconds", "s"}, SizeName{"frames", "frames"}};

bool is_size(std::string_view name) { return std::ranges::find(size_names, name, &SizeName::name) != size_names.end(); }

double number(const ordered_json& value) {
    if (!value.is_number()) return none;
    const auto x = value.get<double>();
    return std::isfinite(x) ? x : none;
}

std::string text(const ordered_json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

/// A count, or `otherwise` where it is none.
std::int64_t whole(const ordered_json& value, std::int64_t otherwise) {
    if (value.is_number_integer() || value.is_number_unsigned()) {
        const auto n = value.is_number_unsigned() && value.get<std::uint64_t>() > (std::uint64_t{1} << 62U)
                           ? -1
                           : value.get<std::int64_t>();
        if (n >= 0) return n;
    }
    return otherwise;
}

struct NumberField {
    std::string_view name;
    double Entry::* member;
};
constexpr std::array number_fields{NumberField{"p90_ms", &Entry::p90},
                                   NumberField{"min_ms", &Entry::least},
                                   NumberField{"items_per_s", &Entry::items_per_s},
                                   NumberField{"real_time_factor", &Entry::real_time_factor},
                                   NumberField{"prefill_ms", &Entry::prefill_ms},
                                   NumberField{"prefill_tokens_per_s", &Entry::prefill_tokens_per_s},
                                   NumberField{"decode_tokens_per_s", &Entry::decode_tokens_per_s},
                                   NumberField{"parameters", &Entry::parameters},
                                   NumberField{"weights_mb", &Entry::weights_mb},
                                   NumberField{"load_s", &Entry::load_s},
                                   NumberField{"baseline_rss_mb", &Entry::baseline_mb},
                                   NumberField{"load_peak_rss_mb", &Entry::load_peak_mb},
                                   NumberField{"peak_rss_mb", &Entry::peak_mb},
                                   NumberField{"peak_device_mb", &Entry::device_mb},
                                   NumberField{"cache_mb", &Entry::cache_mb}};

struct TextField {
    std::string_view name;
    std::string Entry::* member;
};
constexpr std::array text_fields{TextField{"model", &Entry::model},         TextField{"family", &Entry::family},
                                 TextField{"task", &Entry::task},           TextField{"hardware", &Entry::hardware},
                                 TextField{"precision", &Entry::precision}, TextField{"loader", &Entry::loader}};

void read_fallbacks(Entry& e, const ordered_json& list) {
    if (!list.is_array()) return;
    const double calls = std::max<double>(1, static_cast<double>(e.samples.size()));
    for (const auto& item : list) {
        if (!item.is_object()) continue;
        const auto at = [&](const char* name) { return item.contains(name) ? item.at(name) : ordered_json(); };
        e.fallbacks.push_back({.op = text(at("op")),
                               .from = text(at("from")),
                               .to = text(at("to")),
                               .reason = text(at("reason")),
                               .per_call = number(at("count")) / calls,
                               .bytes = number(at("bytes")) / calls,
                               .share = number(at("share"))});
    }
}

/// What the job and the row have in common; the row, which is read second, has the last word.
void read_common(Entry& e, const std::string& name, const ordered_json& value) {
    for (const auto& field : text_fields)
        if (field.name == name && value.is_string()) e.*field.member = value.get<std::string>();
    if (name == "simulated") e.marks.simulated = e.marks.simulated || (value.is_boolean() && value.get<bool>());
    if (name == "weights") e.marks.random = e.marks.random || text(value) == "random";
    if (name == "batch" || name == "batch_size") e.batch = whole(value, e.batch);
    if (name == "threads") e.threads = whole(value, e.threads);
    if (name == "new_tokens") e.new_tokens = whole(value, e.new_tokens);
    if (is_size(name) && value.is_number()) {
        const auto n = whole(value, 0);
        const auto found = std::ranges::find(e.sizes, name, &std::pair<std::string, std::int64_t>::first);
        if (found != e.sizes.end())
            found->second = n;
        else if (n > 0)
            e.sizes.emplace_back(name, n);
    }
}

/// How weights are quantised, where it is not as usual.
void read_variant(Entry& e, const std::string& name, const ordered_json& value) {
    const std::string said = value.is_number_integer() ? std::to_string(whole(value, 64)) : text(value);
    const bool usual = said.empty() || said == (name == "group" ? "64" : "exact");
    if (!usual) e.variant += (e.variant.empty() ? "" : " ") + name + " " + said;
}

void read_job(Entry& e, const ordered_json& job) {
    if (!job.is_object()) return;
    for (const auto& [name, value] : job.items()) {
        read_common(e, name, value);
        if (name == "group" || name == "activations") read_variant(e, name, value);
        if (name == "sizes" && value.is_object())
            for (const auto& [kind, n] : value.items()) read_common(e, kind, n);
    }
    // The job has the device's name, the row its label.
    if (e.marks.simulated && !e.hardware.empty() && e.hardware.find("(simulated)") == std::string::npos)
        e.hardware += " (simulated)";
    e.asked_hardware = e.hardware;
}

void read_row(Entry& e, const ordered_json& row) {
    if (!row.is_object()) return;
    for (const auto& [name, value] : row.items()) {
        read_common(e, name, value);
        for (const auto& field : number_fields)
            if (field.name == name) e.*field.member = number(value);
        if (name == "fallbacks") read_fallbacks(e, value);
    }
}

}  // namespace

bool Entry::noisy() const { return std::ranges::find(remarks, "noisy") != remarks.end(); }

std::string Entry::size_text() const {
    std::string out;
    const auto add = [&](std::int64_t n, std::string_view unit) {
        out += (out.empty() ? "" : ", ") + std::to_string(n) + " " + std::string(unit);
    };
    for (const auto& [name, n] : sizes) add(n, std::ranges::find(size_names, name, &SizeName::name)->unit);
    if (new_tokens > 0) add(new_tokens, "new");
    return out.empty() ? "-" : out;
}

std::string Entry::work() const {
    std::string out = model + '|' + task + '|' + std::to_string(batch);
    for (const auto& [name, n] : sizes) out += '|' + name + '=' + std::to_string(n);
    return out + '|' + std::to_string(new_tokens);
}

std::string Entry::key() const {
    return work() + '|' + hardware + (marks.simulated ? "|S|" : "||") + precision_text() + '|' +
           (marks.random ? "random" : loader) + '|' + std::to_string(threads);
}

Entry entry_of(const StoredRow& stored) {
    Entry e;
    e.state = stored.state;
    e.reason = stored.reason;
    for (const auto& mark : stored.marks) {
        e.marks.simulated = e.marks.simulated || mark == "simulated";
        e.marks.random = e.marks.random || mark == "random weights";
        if (mark != "simulated" && mark != "random weights") e.remarks.push_back(mark);
    }
    for (const double ms : stored.samples_ms)
        if (std::isfinite(ms) && ms > 0) e.samples.push_back(ms);
    read_job(e, stored.job);
    read_row(e, stored.row);
    std::ranges::sort(e.sizes);
    if (e.hardware.find("(simulated)") != std::string::npos) e.marks.simulated = true;
    if (e.marks.simulated && e.hardware.find("(simulated)") == std::string::npos) e.hardware += " (simulated)";
    if (e.asked_hardware.empty()) e.asked_hardware = e.hardware;
    if (e.loader.empty() || e.marks.random) e.loader = "-";  // nothing was loaded
    if (!e.samples.empty() && e.state == State::measured) e.latency = median_interval(e.samples);
    return e;
}

}  // namespace silica::bench::suite::report

#pragma once
/// What may follow when times are written between the words.

#include "silica/generate/speech/timestamp_rules.hpp"

#include <algorithm>
#include <cstddef>

namespace silica::generate {

SILICA_INLINE void TimestampRules::operator()(Scores scores, const Row& row) const {
    const auto written = row.written();
    if (row.prompt > 0 && row.ids[row.prompt - 1] == no_timestamps) return;
    const auto place = [&](std::int64_t id) {
        return static_cast<std::size_t>(std::clamp<std::int64_t>(id, 0, static_cast<std::int64_t>(scores.size())));
    };
    const auto forbid = [&](std::size_t from, std::size_t to) {
        if (from < to) std::ranges::fill(scores.subspan(from, to - from), forbidden);
    };
    const auto begin = no_timestamps + 1;
    const auto times = place(begin), end = scores.size();
    forbid(place(no_timestamps), times);

    const auto is_time = [&](std::int64_t id) { return id >= begin; };
    const bool last = !written.empty() && is_time(written.back());
    const bool penultimate = written.size() < 2 || is_time(written[written.size() - 2]);
    if (last && penultimate) forbid(times, end);
    if (last && !penultimate) forbid(0, place(eos));
    for (std::size_t i = written.size(); i-- > 0;) {
        if (!is_time(written[i])) continue;
        forbid(times, place(last && !penultimate ? written[i] : written[i] + 1));
        break;
    }
    if (written.empty()) {
        forbid(0, times);
        if (max_initial_index) forbid(place(begin + *max_initial_index + 1), end);
    }
    // log_softmax takes the same from both sides.
    if (times == 0 || times == end) return;
    const auto all_times = static_cast<float>(log_sum_exp(scores.subspan(times)));
    if (all_times > largest(scores.first(times))) forbid(0, times);
}

}  // namespace silica::generate

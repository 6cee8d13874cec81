#pragma once
/// What a call has written so far: rows that go on and rows that ended, text and callbacks, the clock.

#include "silica/core/error.hpp"
#include "silica/generate/generated.hpp"
#include "silica/generate/plan.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::generate {

/// The clock of one call.
class Clock {
public:
    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Takes each row's tokens as they are chosen, and says which rows ended.
class Progress {
public:
    Progress(Plan& plan, const Hooks& hooks, const Clock& clock) : plan_(plan), hooks_(hooks), clock_(clock) {
        const auto rows = plan.history.size();
        finish_.resize(rows);
        if (!hooks.text) return;
        texts_.resize(rows);
        for (std::size_t r = 0; r < rows; ++r)
            streams_.emplace_back(hooks.text, plan.config.stop_strings.value_or(std::vector<std::string>{}));
    }

    /// Adds a token to a row that goes on. InputError where there is no such row.
    void take(std::size_t r, std::int64_t id) {
        require_row(r);
        auto& history = plan_.history[r];
        history.push_back(id);
        const auto index = history.size() - plan_.start - 1;
        std::optional<Finish> finish;
        if (std::ranges::find(plan_.ends, id) != plan_.ends.end())
            finish = Finish::eos;
        else if (history.size() >= plan_.max_length)
            finish = Finish::length;
        else if (plan_.config.max_time && clock_.seconds() > *plan_.config.max_time)
            finish = Finish::time;
        std::string piece;
        if (hooks_.text) {
            auto [text, stopped] = streams_[r].push(id, finish.has_value());
            if (stopped && finish != Finish::eos) finish = Finish::stop_string;
            texts_[r] += text;
            piece = std::move(text);
        }
        if (finish) end(r, *finish);
        ++new_tokens_;
        if (!hooks_.on_token || cancelled_) return;
        const Token token{static_cast<std::int64_t>(r), static_cast<std::int64_t>(index), id, piece, finish};
        cancelled_ = !hooks_.on_token(token);
    }

    [[nodiscard]] bool ended(std::size_t r) const {
        require_row(r);
        return finish_[r].has_value();
    }
    /// Whether nothing more is to be written: all rows ended, or the callback said so.
    [[nodiscard]] bool done() const { return cancelled_ || ended_ == finish_.size(); }

    /// What came of it. Rows that the callback cut off hold what they have.
    [[nodiscard]] Generated result() && {
        Generated out;
        std::size_t longest = 0;
        for (std::size_t r = 0; r < finish_.size(); ++r) {
            const auto& ids = plan_.history[r];
            longest = std::max(longest, ids.size());
            out.tokens.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(plan_.start), ids.end());
            if (!finish_[r] && hooks_.text) texts_[r] += streams_[r].rest();
            out.finish.push_back(finish_[r].value_or(Finish::cancelled));
        }
        out.texts = std::move(texts_);
        out.sequences = sequences(plan_.history, longest, plan_.pad);
        out.start = static_cast<std::int64_t>(plan_.start);
        out.prompt_tokens = plan_.prompt_tokens;
        out.new_tokens = new_tokens_;
        return out;
    }

    /// Rows of tokens as one tensor (rows, tokens) int64, filled up on the right. InputError for a longer row.
    static Tensor sequences(const std::vector<std::vector<std::int64_t>>& rows, std::size_t tokens, std::int64_t fill) {
        for (const auto& row : rows) {
            if (row.size() > tokens)
                throw InputError(
                    "A row has " + std::to_string(row.size()) + " tokens, " + std::to_string(tokens) + " have room.",
                    "make room for the longest.");
        }
        const auto width = static_cast<std::int64_t>(tokens);
        Tensor all = at::full({static_cast<std::int64_t>(rows.size()), width}, fill, c10::ScalarType::Long);
        auto* id = all.mutable_data_ptr<std::int64_t>();
        for (std::size_t r = 0; r < rows.size(); ++r)
            std::ranges::copy(rows[r], id + static_cast<std::int64_t>(r) * width);
        return all;
    }

private:
    void require_row(std::size_t r) const {
        if (r < finish_.size()) return;
        throw InputError("There are " + std::to_string(finish_.size()) + " rows, and no row " + std::to_string(r) + ".",
                         "ask for one that there is.");
    }
    void end(std::size_t r, Finish how) {
        finish_[r] = how;
        ++ended_;
    }

    Plan& plan_;
    const Hooks& hooks_;
    const Clock& clock_;
    std::vector<std::optional<Finish>> finish_;
    std::vector<StoppedText> streams_;
    std::vector<std::string> texts_;
    std::size_t ended_ = 0;
    std::int64_t new_tokens_ = 0;
    bool cancelled_ = false;
};

}  // namespace silica::generate

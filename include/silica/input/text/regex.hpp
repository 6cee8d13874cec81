#pragma once
/// Regular expressions of tokenizer files (Oniguruma's Ruby syntax) through PCRE2.

#include <silica/core/error.hpp>
#include <silica/input/text/regex_syntax.hpp>
#include <silica/input/text/utf8.hpp>

#include <new>

// The functions of 8 bits are called by their names: the width is the user's own.
#ifdef PCRE2_CODE_UNIT_WIDTH
#include <pcre2.h>
#else
#define PCRE2_CODE_UNIT_WIDTH 0
#include <pcre2.h>
#undef PCRE2_CODE_UNIT_WIDTH
#endif

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace silica::text {

/// A compiled pattern. Matching is thread safe.
class Regex {
public:
    /// Compiles a pattern; `where` names it in the error ("tokenizer.json: pre_tokenizer.pattern").
    Regex(const std::string& pattern, const std::string& where) : where_(where) {
        const auto refuse = [&](const std::string& why) {
            throw ConfigError(where + " has a pattern that cannot be used: " + why + ".",
                              "Take the file from the model's repository again, or rewrite the pattern for PCRE2.");
        };
        if (pattern.size() > 100'000) refuse("it has " + std::to_string(pattern.size()) + " bytes");
        const auto translated = regex_syntax::translate(pattern);
        if (!translated.problem.empty()) refuse(translated.problem);
        const std::unique_ptr<pcre2_compile_context_8, Free> context(pcre2_compile_context_create_8(nullptr));
        if (!context) throw std::bad_alloc();
        pcre2_set_newline_8(context.get(), PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit_8(context.get(), 100);
        int error = 0;
        PCRE2_SIZE at = 0;
        code_.reset(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(translated.pattern.data()), translated.pattern.size(),
                                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at,
                                    context.get()),
                    Free{});
        if (!code_) {
            PCRE2_UCHAR8 message[256];
            pcre2_get_error_message_8(error, message, sizeof message);
            refuse(reinterpret_cast<const char*>(message));
        }
        pcre2_jit_compile_8(code_.get(), PCRE2_JIT_COMPLETE);  // without JIT it interprets
    }

    /// Calls `found(start, end)` for every match in valid UTF-8, from left to right. InputError where a match would
    /// take too many steps.
    template <class Found>
    void each_match(std::string_view text, Found&& found) const {
        State& state = State::mine();
        const std::unique_ptr<pcre2_match_data_8, Free> data(pcre2_match_data_create_8(1, nullptr));
        if (!data) throw std::bad_alloc();
        const auto* ovector = pcre2_get_ovector_pointer_8(data.get());
        std::size_t from = 0, last_end = std::string_view::npos;
        while (from <= text.size()) {
            const int n = pcre2_match_8(code_.get(), reinterpret_cast<PCRE2_SPTR8>(text.data()), text.size(), from,
                                        PCRE2_NO_UTF_CHECK, data.get(), state.context.get());
            if (n == PCRE2_ERROR_NOMATCH) return;
            if (n < 0) too_hard(n);
            const std::size_t start = ovector[0], end = ovector[1];
            if (end < start) return;  // \K in a look-around
            if (start == end && end == last_end) {
                // An empty match right after the last one is none: look from the next character.
                from += from < text.size() ? utf8::length(text[from]) : 1;
                continue;
            }
            found(start, end);
            from = last_end = end;
        }
    }

private:
    struct Free {
        void operator()(pcre2_code_8* p) const noexcept { pcre2_code_free_8(p); }
        void operator()(pcre2_compile_context_8* p) const noexcept { pcre2_compile_context_free_8(p); }
        void operator()(pcre2_match_context_8* p) const noexcept { pcre2_match_context_free_8(p); }
        void operator()(pcre2_match_data_8* p) const noexcept { pcre2_match_data_free_8(p); }
        void operator()(pcre2_jit_stack_8* p) const noexcept { pcre2_jit_stack_free_8(p); }
    };
    /// What a thread needs to match.
    struct State {
        std::unique_ptr<pcre2_jit_stack_8, Free> stack{pcre2_jit_stack_create_8(32 * 1024, 8 * 1024 * 1024, nullptr)};
        std::unique_ptr<pcre2_match_context_8, Free> context{pcre2_match_context_create_8(nullptr)};
        State() {
            if (!context) throw std::bad_alloc();
            pcre2_set_match_limit_8(context.get(), 20'000'000);
            pcre2_set_heap_limit_8(context.get(), 64 * 1024);  // KiB
            if (stack) pcre2_jit_stack_assign_8(context.get(), nullptr, stack.get());
        }
        static State& mine() {
            thread_local State state;
            return state;
        }
    };
    [[noreturn]] void too_hard(int error) const {
        PCRE2_UCHAR8 message[256];
        pcre2_get_error_message_8(error, message, sizeof message);
        throw InputError(
            "The pattern of " + where_ + " gave up on the text: " + reinterpret_cast<const char*>(message) + ".",
            "Encode the text in shorter parts.");
    }

    std::shared_ptr<pcre2_code_8> code_;
    std::string where_;
};

}  // namespace silica::text

#pragma once
/// A Jinja template: parsed once, rendered often.

#include <silica/core/error.hpp>
#include <silica/input/text/jinja/frames.hpp>
#include <silica/input/text/jinja/interpreter.hpp>
#include <silica/input/text/jinja/parser.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The time of this machine, in its zone.
[[nodiscard]] inline std::tm local_time() {
    const std::time_t now = std::time(nullptr);
    std::tm made{};
    localtime_r(&now, &made);
    return made;
}

/// A template as transformers sets Jinja up for chats: trim_blocks, lstrip_blocks, the immutable sandbox, break and
/// continue, {% generation %}, raise_exception, strftime_now. Rendering is const: threads may share a template.
class Template {
public:
    /// Parses. ConfigError names `name` and the line where the text is no Jinja or goes beyond what Silica knows.
    Template(std::string_view source, std::string name) : name_(std::move(name)) {
        constexpr std::size_t longest = std::size_t{1} << 22;
        if (source.size() > longest) refuse("has more than 4 MB", 1);
        if (utf8::first_invalid(source) != std::string_view::npos) refuse("is not UTF-8", 1);
        Lexer lexer(source);
        std::vector<Token> tokens;
        try {
            tokens = lexer.run();
        } catch (const Problem& problem) {
            refuse(problem.what(), lexer.line());
        }
        Parser parser(std::move(tokens));
        try {
            Body body = parser.run();
            hidden_ = Frames::analyse(body);
            body_ = std::make_shared<const Body>(std::move(body));
        } catch (const Problem& problem) {
            refuse(problem.what(), parser.line());
        }
    }

    /// The text for these variables; `variables` makes them in the session. InputError: what raise_exception says, or
    /// what went wrong, with the line.
    [[nodiscard]] std::string render(const std::function<Dict(Session&)>& variables, Clock clock = local_time) const {
        Session session(std::move(clock));
        try {
            const Dict context = variables(session);
            return Interpreter(session, context).run(*body_, hidden_);
        } catch (const Raised& raised) {
            throw InputError(raised.what(), "");
        } catch (const Problem& problem) {
            throw InputError(
                name_ + ", line " + std::to_string(session.line) + ": the template " + problem.what() + ".",
                "Give messages of the form that the template wants, or another template.");
        }
    }

private:
    [[noreturn]] void refuse(const std::string& problem, unsigned line) const {
        throw ConfigError(name_ + ", line " + std::to_string(line) + ": the template " + problem + ".",
                          "Correct the template, or write the prompt without it.");
    }

    std::string name_;
    std::shared_ptr<const Body> body_;
    std::vector<std::string> hidden_;
};

}  // namespace silica::text::jinja

#pragma once
/// Definitions of template.hpp: the parser and the interpreter are compiled here.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/input/text/jinja/frames.hpp"
#include "silica/input/text/jinja/interpreter.hpp"
#include "silica/input/text/jinja/parser.hpp"
#include "silica/input/text/jinja/template.hpp"
#include "silica/input/text/utf8.hpp"

#include <utility>

namespace silica::text::jinja {

SILICA_INLINE std::tm local_time() {
    const std::time_t now = std::time(nullptr);
    std::tm made{};
    localtime_r(&now, &made);
    return made;
}

SILICA_INLINE Template::Template(std::string_view source, std::string name) : name_(std::move(name)) {
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

SILICA_INLINE std::string Template::render(const std::function<Dict(Session&)>& variables, Clock clock) const {
    Session session(std::move(clock));
    try {
        const Dict context = variables(session);
        return Interpreter(session, context).run(*body_, hidden_);
    } catch (const Raised& raised) {
        throw InputError(raised.what(), "");
    } catch (const Problem& problem) {
        throw InputError(name_ + ", line " + std::to_string(session.line) + ": the template " + problem.what() + ".",
                         "Give messages of the form that the template wants, or another template.");
    }
}

SILICA_INLINE void Template::refuse(const std::string& problem, unsigned line) const {
    throw ConfigError(name_ + ", line " + std::to_string(line) + ": the template " + problem + ".",
                      "Correct the template, or write the prompt without it.");
}

}  // namespace silica::text::jinja

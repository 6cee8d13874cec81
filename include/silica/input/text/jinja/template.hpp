#pragma once
/// A Jinja template: parsed once, rendered often.

#include <silica/input/text/jinja/session.hpp>
#include <silica/input/text/jinja/syntax.hpp>

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text::jinja {

/// The time of this machine, in its zone.
[[nodiscard]] std::tm local_time();

/// A template as transformers sets Jinja up for chats: trim_blocks, lstrip_blocks, the immutable sandbox, break and
/// continue, {% generation %}, raise_exception, strftime_now. Rendering is const: threads may share a template.
class Template {
public:
    /// Parses. ConfigError names `name` and the line where the text is no Jinja or goes beyond what Silica knows.
    Template(std::string_view source, std::string name);

    /// The text for these variables; `variables` makes them in the session. InputError: what raise_exception says, or
    /// what went wrong, with the line.
    [[nodiscard]] std::string render(const std::function<Dict(Session&)>& variables, Clock clock = local_time) const;

private:
    [[noreturn]] void refuse(const std::string& problem, unsigned line) const;

    std::string name_;
    std::shared_ptr<const Body> body_;
    std::vector<std::string> hidden_;
};

}  // namespace silica::text::jinja

#ifndef SILICA_COMPILED
#include "silica/input/text/jinja/template.ipp"
#endif

#pragma once
/// `silica template --jsonl`: JSON lines in, JSON lines out.

#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "silica/input/text/chat_template.hpp"

namespace silica::bench {

/// Variables of a template: each is NAME=VALUE, the value as JSON where it is JSON, else as text. InputError names what
/// is neither.
[[nodiscard]] Json template_variables(const std::vector<std::string>& given);

/// Renders each line {"messages", "add_generation_prompt"?, "tools"?, "documents"?, "variables"?, "template"?} of `in`
/// and writes {"text"}, or {"error"} where the template or the messages refuse, to `out`. `options` hold for lines that
/// do not say otherwise. InputError names a line that is no such object. Returns 0.
int template_jsonl(std::istream& in, std::ostream& out, const text::ChatTemplate& chat,
                   const text::ChatOptions& options = {});

}  // namespace silica::bench

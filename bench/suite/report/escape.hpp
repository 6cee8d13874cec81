#pragma once
/// Text of untrusted files made fit for HTML and Markdown.

#include <string>
#include <string_view>

namespace silica::bench::suite::report {

/// Valid UTF-8 in one line: what is not UTF-8, control characters, and marks that change the direction of writing
/// become U+FFFD; line ends and tabs become spaces.
[[nodiscard]] std::string plain(std::string_view text);

/// plain(text) for HTML, as content and inside of quoted attributes.
[[nodiscard]] std::string html_text(std::string_view text);
/// The same, written at the end of `out`.
void append_html(std::string& out, std::string_view text);

/// plain(text) for a cell or a line of Markdown: nothing in it is markup.
[[nodiscard]] std::string markdown_text(std::string_view text);

/// The first `most` characters of valid UTF-8; with an ellipsis where there are more.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t most);

}  // namespace silica::bench::suite::report

#pragma once
/// Errors as one sentence on stderr.

#include <functional>
#include <string>
#include <string_view>

namespace silica::bench {

/// Runs `work`; empty when it returns, otherwise the sentence that says why it threw.
[[nodiscard]] std::string sentence_of(const std::function<void()>& work);

/// Text from files and users as a line that may go to a terminal: line breaks become blanks; other control characters,
/// and what is no UTF-8, are shown as '?'.
[[nodiscard]] std::string printable(std::string_view text);

/// "silica: <sentence>" on stderr, printable; words and sentences that are longer than any needs to be are cut inside.
void complain(const std::string& sentence);

}  // namespace silica::bench

#pragma once
/// Errors as one sentence on stderr.

#include <functional>
#include <string>

namespace silica::bench {

/// Runs `work`; empty when it returns, otherwise the sentence that says why it threw.
[[nodiscard]] std::string sentence_of(const std::function<void()>& work);

/// "silica: <sentence>" on stderr.
void complain(const std::string& sentence);

}  // namespace silica::bench

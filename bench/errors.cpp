#include "errors.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

#include <c10/util/Exception.h>

#include "silica/core/error.hpp"

namespace silica::bench {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

std::string sentence_of(const std::function<void()>& work) {
    try {
        work();
        return {};
    } catch (const Error& e) {
        return e.what();
    } catch (const c10::Error& e) {
        return "LibTorch failed: " + first_line(e.what_without_backtrace());
    } catch (const std::bad_alloc&) {
        return "There is not enough memory. Remedy: use --loader streamed, a smaller precision, model or batch.";
    } catch (const std::filesystem::filesystem_error& e) {
        return std::string("The file system failed: ") + e.what();
    } catch (const std::exception& e) {
        return "Something unexpected failed: " + first_line(e.what());
    }
}

void complain(const std::string& sentence) {
    std::string text = sentence;
    for (char& c : text) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    std::fprintf(stderr, "silica: %s\n", text.c_str());
}

}  // namespace silica::bench

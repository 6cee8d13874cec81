#include <silica/input/text/tokenizer.hpp>

#include <iostream>

// A tokenizer, linked without LibTorch.
int main() {
    try {
        (void)silica::text::Tokenizer::open("a directory that is not there");
    } catch (const silica::Error& error) {
        std::cout << error.what() << '\n';
        return 0;
    }
    return 1;
}

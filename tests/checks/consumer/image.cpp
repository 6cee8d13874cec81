#include <silica/input/image/processor.hpp>
#include <silica/input/image/read.hpp>

#include <iostream>

// A picture read and processed, linked without LibTorch.
int main() {
    try {
        const auto processor = silica::image::Processor::open("a directory that is not there");
        const auto picture = silica::image::read("a picture that is not there");
        std::cout << processor({&picture, 1}).shape.size() << '\n';
    } catch (const silica::Error& error) {
        std::cout << error.what() << '\n';
        return 0;
    }
    return 1;
}

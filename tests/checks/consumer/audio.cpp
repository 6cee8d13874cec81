#include <silica/input/audio/extractor.hpp>
#include <silica/input/audio/read.hpp>

#include <iostream>

// A sound read and made features of, linked without LibTorch.
int main() {
    try {
        const auto extractor = silica::audio::Extractor::open("a directory that is not there");
        const auto sound = silica::audio::read("a sound that is not there", extractor.rate());
        std::cout << extractor({&sound, 1}).shape.size() << '\n';
    } catch (const silica::Error& error) {
        std::cout << error.what() << '\n';
        return 0;
    }
    return 1;
}

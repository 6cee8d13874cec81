/// Opens and calls one network of each family that was asked for.
#define CALL(family) bool strict_##family(const char* directory);
#include "calls.inc"
#undef CALL

int main(int, char** argv) {
    bool all = true;
#define CALL(family) all = strict_##family(argv[0]) && all;
#include "calls.inc"
#undef CALL
    return all ? 0 : 1;
}

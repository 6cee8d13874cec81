# cmake -DPROGRAM=<silica> -DPAGE=<docs/support.md> -P support_page.cmake
execute_process(COMMAND ${PROGRAM} support --output md OUTPUT_VARIABLE printed RESULT_VARIABLE status)
file(READ ${PAGE} page)
# The page is that of one LibTorch: what Apple GPUs have of attention depends on it.
set(version "of LibTorch [0-9]+\\.[0-9]+")
string(REGEX MATCH "${version}" of_page "${page}")
string(REGEX MATCH "${version}" of_program "${printed}")
if(status EQUAL 0 AND of_page AND of_program AND NOT of_page STREQUAL of_program)
    message("skipped: docs/support.md is ${of_page}, the program ${of_program}")
    return()
endif()
if(NOT status EQUAL 0 OR NOT printed STREQUAL page)
    message(FATAL_ERROR "docs/support.md is not what `silica support --output md` prints. "
                        "Remedy: ./run support --output md > docs/support.md")
endif()

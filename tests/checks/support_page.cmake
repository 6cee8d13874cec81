# cmake -DPROGRAM=<silica> -DPAGE=<docs/support.md> -P support_page.cmake
execute_process(COMMAND ${PROGRAM} support --output md OUTPUT_VARIABLE printed RESULT_VARIABLE status)
file(READ ${PAGE} page)
if(NOT status EQUAL 0 OR NOT printed STREQUAL page)
    message(FATAL_ERROR "docs/support.md is not what `silica support --output md` prints. "
                        "Remedy: ./run support --output md > docs/support.md")
endif()

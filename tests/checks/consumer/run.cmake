# cmake -DWAY=install|subdirectory -DSOURCE=<Silica> -DBUILD=<Silica's build> -DWORK=<scratch> -DPREFIX=<where LibTorch is>
#       -DCXX=<compiler> -DLAUNCHER=<ccache or nothing> -DGENERATOR=<generator> -P run.cmake
# Configures, builds and runs a project that uses Silica, from nothing.
function(must)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "failed: ${command}")
    endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
if(WAY STREQUAL install)
    must(${CMAKE_COMMAND} --install ${BUILD} --component library --prefix ${WORK}/prefix)
    # From another place than it was installed to: nothing in it may be absolute.
    file(RENAME ${WORK}/prefix ${WORK}/moved)
    set(directory "")
    list(PREPEND PREFIX ${WORK}/moved)
else()
    set(directory ${SOURCE})
endif()
# A file of settings, because lists do not survive a command line.
file(WRITE ${WORK}/settings.cmake "
set(CMAKE_BUILD_TYPE Debug CACHE STRING \"\")
set(CMAKE_CXX_FLAGS_DEBUG -O0 CACHE STRING \"\")
set(CMAKE_CXX_COMPILER \"${CXX}\" CACHE STRING \"\")
set(CMAKE_CXX_COMPILER_LAUNCHER \"${LAUNCHER}\" CACHE STRING \"\")
set(CMAKE_PREFIX_PATH \"${PREFIX}\" CACHE STRING \"\")
set(SILICA_DIRECTORY \"${directory}\" CACHE STRING \"\")
")
must(${CMAKE_COMMAND} -C ${WORK}/settings.cmake -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G ${GENERATOR})
must(${CMAKE_COMMAND} --build ${WORK}/build)
must(${WORK}/build/consumer ${SOURCE}/tests/golden/bert/base)
must(${WORK}/build/consumer_text)
must(${WORK}/build/consumer_image)
must(${WORK}/build/consumer_audio)
if(WAY STREQUAL install)
    must(${WORK}/build/consumer_models ${SOURCE}/tests/golden/bert/base)
endif()

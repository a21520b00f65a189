# How every target of the project is made, so that a folder's CMakeLists.txt only lists what is in it.

if(ACCEPTQ_STATIC)
  # Debian ships no libfmt.a; the header-only target gives the same code.
  set(ACCEPTQ_FMT fmt::fmt-header-only)
  # Everything that find_library, hence pkg-config's imported targets too, finds from here on is an
  # archive, together with the archives that it needs itself.
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(PKG_CONFIG_ARGN --static)
else()
  set(ACCEPTQ_FMT fmt::fmt)
endif()

# ccache is used where it is installed; -DCMAKE_CXX_COMPILER_LAUNCHER= turns it off.
find_program(ACCEPTQ_CCACHE ccache)
mark_as_advanced(ACCEPTQ_CCACHE)
foreach(language C CXX)
  if(ACCEPTQ_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${ACCEPTQ_CCACHE})
  endif()
endforeach()

# The sanitizers apply to every target alike: half a program under one reports nonsense.
set(ACCEPTQ_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them")
if(ACCEPTQ_SANITIZE)
  add_compile_options(-fsanitize=${ACCEPTQ_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ACCEPTQ_SANITIZE})
endif()
if(ACCEPTQ_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  # Each acceptq_fuzz adds itself to both; tools/fuzz reads the list: "FOLDER NAME" a line.
  add_custom_target(fuzzers)
  set(ACCEPTQ_FUZZERS ${CMAKE_BINARY_DIR}/fuzzers.list)
  file(WRITE ${ACCEPTQ_FUZZERS} "")
endif()

function(acceptq_options target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  # A warning stops us, not users: another compiler, or an optimising one, warns of other things.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
                         $<$<BOOL:${ACCEPTQ_TESTS}>:-Werror>
                         # Designated initialisers leave the rest to the defaults, on purpose.
                         -Wno-missing-field-initializers
                         # GCC 12, when it optimises, sees overlaps in its own std::string (its bug 105651).
                         $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-restrict>)
  # GCC 12's own stable_sort uses what it declares deprecated; only clang says so. GCC still reports
  # deprecated calls of ours.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
  target_compile_definitions(${target} PRIVATE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>
                                               ACCEPTQ_VERSION="${PROJECT_VERSION}")
endfunction()

# What many sources include is compiled once, which halves the time of a build. Sources include what
# they use all the same: the presets asan and fuzz build without it. Of such a file clang loads only
# what is used; g++ loads all of it, and would gain nothing.
option(ACCEPTQ_PCH "Compile common headers once (with clang)" ON)

# acceptq_common_headers(NAME [DEPS lib …] HEADERS <a> …): holds nothing but these.
function(acceptq_common_headers name)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  if(NOT ACCEPTQ_PCH OR NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.cc CONTENT "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/generated/${name}.cc)
  acceptq_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# acceptq_has_headers_of(TARGET NAME): where there are such.
function(acceptq_has_headers_of target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

# acceptq_library(NAME SOURCES a.cc … [DEPS lib …]): one library per folder of src/.
function(acceptq_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  acceptq_options(${name})
  acceptq_has_headers_of(${name} acceptq_headers)
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endfunction()

# acceptq_executable(NAME SOURCES a.cc … [DEPS lib …]): a program that users run; static, and thus
# without a loader or any file of the node's, where ACCEPTQ_STATIC is on.
function(acceptq_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  acceptq_options(${name})
  acceptq_has_headers_of(${name} acceptq_headers)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  if(ACCEPTQ_STATIC)
    target_link_options(${name} PRIVATE -static -Wl,--gc-sections)
  endif()
endfunction()

# acceptq_test(NAME SOURCES a_test.cc … [DEPS lib …] [LABELS quick|system|full …]): a GoogleTest
# program. Exit code 77 means that every test of it was skipped.
function(acceptq_test name)
  if(NOT ACCEPTQ_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS quick)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  acceptq_options(${name})
  acceptq_has_headers_of(${name} acceptq_test_headers)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock acceptq_test_main)
  target_compile_definitions(${name} PRIVATE ACCEPTQ_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             ACCEPTQ_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" SKIP_RETURN_CODE 77
                                          TIMEOUT ${ARG_TIMEOUT})
endfunction()

# acceptq_fuzz(NAME SOURCES a_fuzz.cc DEPS lib …): a libFuzzer target; its seeds and kept crashes are
# in fuzz/corpus/NAME. A build with tests has a program instead that replays these, as test corpus.NAME.
function(acceptq_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ACCEPTQ_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    add_dependencies(fuzzers ${name})
    file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    file(APPEND ${ACCEPTQ_FUZZERS} "${folder} ${name}\n")
  elseif(ACCEPTQ_TESTS)
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE acceptq_replay_main)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/replay)
    add_test(NAME corpus.${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(corpus.${name} PROPERTIES LABELS quick TIMEOUT 60)
  else()
    return()
  endif()
  acceptq_options(${name})
  acceptq_has_headers_of(${name} acceptq_headers)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# acceptq_bench(NAME SOURCES a_bench.cc … [DEPS lib …]): a Google Benchmark program; tools/bench runs
# it.
function(acceptq_bench name)
  if(NOT ACCEPTQ_BENCH)
    return()
  endif()
  find_package(benchmark REQUIRED)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  acceptq_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} benchmark::benchmark benchmark::benchmark_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endfunction()

# How this project declares targets: one per folder, sources listed, warnings as errors.

function(quantry_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wno-missing-field-initializers)
endfunction()

# quantry_library(NAME SOURCES a.cc b.cc ... DEPS lib ... [PCH_FROM target])
# A static library that includes from the repository root ("common/status/macros.h").
function(quantry_library name)
  cmake_parse_arguments(ARG "" "PCH_FROM" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
  quantry_warnings(${name})
  if(ARG_PCH_FROM)
    target_precompile_headers(${name} REUSE_FROM ${ARG_PCH_FROM})
  endif()
endfunction()

# quantry_program(NAME SOURCES ... DEPS ... [PCH_FROM target]): a program in build/<preset>/bin.
function(quantry_program name)
  cmake_parse_arguments(ARG "" "PCH_FROM" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  quantry_warnings(${name})
  if(ARG_PCH_FROM)
    target_precompile_headers(${name} REUSE_FROM ${ARG_PCH_FROM})
  endif()
endfunction()

# quantry_test(NAME SOURCES ... DEPS ... [PCH_FROM target] [LABELS ...] [TIMEOUT seconds])
# One GoogleTest program, registered with ctest as one test.
function(quantry_test name)
  cmake_parse_arguments(ARG "" "PCH_FROM;TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  quantry_warnings(${name})
  if(ARG_PCH_FROM)
    target_precompile_headers(${name} REUSE_FROM ${ARG_PCH_FROM})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "unit;${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# What torch itself writes or computes: tests/tools/SCRIPT.py puts it into FOLDER, beside the build
# folders of all presets and once for all of them.
function(quantry_torch_files script folder)
  cmake_path(SET path NORMALIZE ${CMAKE_BINARY_DIR}/../${folder})
  add_test(NAME quantry_${script}
           COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/tools/${script}.py ${path})
  set_tests_properties(quantry_${script} PROPERTIES
                       FIXTURES_SETUP ${folder} LABELS parity TIMEOUT 900)
endfunction()

# A test that reads these files; its code knows the path as DEFINE.
function(quantry_reads_torch_files test folder define)
  cmake_path(SET path NORMALIZE ${CMAKE_BINARY_DIR}/../${folder})
  target_compile_definitions(${test} PRIVATE ${define}="${path}")
  set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED ${folder})
endfunction()

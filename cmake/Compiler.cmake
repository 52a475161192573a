# Compiler settings of every target, ours and generated: optimisation, sanitizers, ccache.
# Warnings are set per target (quantry_warnings in Targets.cmake), so that generated code stays out.

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
# One code model for libraries and programs, so that they can share precompiled headers.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

find_program(CCACHE_PROGRAM ccache)
if(QUANTRY_CCACHE AND CCACHE_PROGRAM)
  # GCC's precompiled headers are cached only with this flag and these allowances (ccache manual).
  # Paths below the source folder count as relative: another clone finds what this one compiled.
  add_compile_options(-fpch-preprocess)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
endif()

if(QUANTRY_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(QUANTRY_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(NOT QUANTRY_SANITIZER STREQUAL "none")
  message(FATAL_ERROR
          "QUANTRY_SANITIZER is '${QUANTRY_SANITIZER}'; allowed: none, address, thread")
endif()

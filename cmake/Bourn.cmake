# The layering of the tree, enforced: a folder of src/ is a static library that is compiled with one
# include directory of its own, which holds links to the folders that it names and to nothing else.
# `#include "store/store.h"` in a folder that does not name `store` does not compile.

# bourn_library(<folder> USES <folders...> LIBS <link libraries...>)
# Compiles src/<folder>/*.c. USES lists the folders of src/ that its files may include.
function(bourn_library name)
  cmake_parse_arguments(A "" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  if(NOT sources)
    message(FATAL_ERROR "src/${name} has no .c file")
  endif()
  add_library(bourn_${name} STATIC ${sources})
  bourn_restrict(bourn_${name} ${name} ${A_USES})
  foreach(used ${A_USES})
    target_link_libraries(bourn_${name} PUBLIC bourn_${used})
  endforeach()
  target_link_libraries(bourn_${name} PUBLIC ${A_LIBS})
endfunction()

# bourn_restrict(<target> <folders...>): lets the target include these folders of src/ alone.
function(bourn_restrict target)
  set(view ${CMAKE_BINARY_DIR}/include/${target})
  file(REMOVE_RECURSE ${view})
  file(MAKE_DIRECTORY ${view})
  foreach(folder ${ARGN})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${folder} ${view}/${folder} SYMBOLIC)
  endforeach()
  target_include_directories(${target} PRIVATE ${view})
endfunction()

# bourn_program(<name> SOURCES <files...> USES <folders...> LIBS <link libraries...>)
function(bourn_program name)
  cmake_parse_arguments(A "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  bourn_restrict(${name} ${A_USES})
  foreach(used ${A_USES})
    target_link_libraries(${name} PRIVATE bourn_${used})
  endforeach()
  target_link_libraries(${name} PRIVATE ${A_LIBS})
endfunction()

# bourn_test(<name> SOURCES <files...> USES <folders...> [LABELS <labels...>] [TIMEOUT <s>])
# A cmocka program that ctest runs; it finds the source tree in BOURN_SOURCE.
function(bourn_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;USES;LIBS;LABELS" ${ARGN})
  bourn_program(${name} SOURCES ${A_SOURCES} USES ${A_USES} LIBS ${A_LIBS} PkgConfig::CMOCKA)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}"
    ENVIRONMENT "BOURN_SOURCE=${CMAKE_SOURCE_DIR};BOURN_BIN=${CMAKE_BINARY_DIR}/bin")
endfunction()

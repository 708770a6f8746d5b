# SPDX-License-Identifier: MIT
# Fails if the library defines a global symbol whose name does not start with heam_, writable data that would be a
# global variable, or calls of the C library that a simulation core has no business with.
#   cmake -DNM=nm -DLIBRARY=libheam.a -P symbols.cmake
execute_process(COMMAND ${NM} -g --defined-only -P ${LIBRARY} OUTPUT_VARIABLE defined RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "nm cannot read ${LIBRARY}")
endif()
set(count 0)
string(REPLACE "\n" ";" lines "${defined}")
foreach(line IN LISTS lines)
  if(line MATCHES "^([^ ]+) ([A-Z]) ")
    math(EXPR count "${count} + 1")
    # The sanitizers add bookkeeping symbols with a reserved prefix of their own.
    if(NOT CMAKE_MATCH_1 MATCHES "^(heam_|__asan|__odr_asan|__ubsan)")
      message(SEND_ERROR "global symbol without the prefix heam_: ${CMAKE_MATCH_1}")
    endif()
  endif()
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "${LIBRARY} defines no global symbol at all")
endif()

# Types B, C, D (and b, d) are writable data. Constant tables of pointers land in .data.rel.ro, which nm calls D or d
# too, so names of static const tables cannot be told apart here: only globals count.
foreach(line IN LISTS lines)
  if(line MATCHES "^(heam_[^ ]+) ([BCD]) ")
    message(SEND_ERROR "global variable in the core: ${CMAKE_MATCH_1}")
  endif()
endforeach()

execute_process(COMMAND ${NM} -u -P ${LIBRARY} OUTPUT_VARIABLE wanted)
foreach(name printf fprintf puts putchar exit abort rand srand time getenv fopen setlocale)
  if(wanted MATCHES "(^|\n)${name} ")
    message(SEND_ERROR "the core calls ${name}()")
  endif()
endforeach()
message(STATUS "${count} global symbols, all with the prefix heam_")

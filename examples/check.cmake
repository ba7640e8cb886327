# Runs PROGRAM, with SCRIPT as its argument where there is one, and compares what it prints with the file EXPECTED.
execute_process(COMMAND ${PROGRAM} ${SCRIPT} OUTPUT_VARIABLE printed RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "expected ${PROGRAM} ${SCRIPT} to end with 0, got ${status}")
endif()
file(READ ${EXPECTED} expected)
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "expected the text of ${EXPECTED}, got:\n${printed}")
endif()

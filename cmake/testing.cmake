# tern_test(<name> SOURCES … DEPS … [LABELS …]): one GoogleTest program, one CTest entry. LABELS isa marks the tests that
# scripts/test runs again under every TERN_ISA that the machine has, any_device those that scripts/test-cuda runs on the GPU.
function(tern_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} tern_flags GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE TERN_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data" TERN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 600)
  if(TERN_SANITIZE MATCHES address)
    # Requests that no machine can meet are to fail as they do otherwise.
    set_tests_properties(${name} PROPERTIES ENVIRONMENT ASAN_OPTIONS=allocator_may_return_null=1)
  endif()
endfunction()

# Flags that every target of the project shares: the `tern_flags` interface target.
add_library(tern_flags INTERFACE)
target_compile_features(tern_flags INTERFACE cxx_std_20)
# Contraction off: a*b+c is fused only where the code says fma, so every compiler rounds alike (docs/numerics.md).
set(tern_options -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-qual -Wextra-semi -Wundef
  -ffp-contract=off -fno-fast-math $<$<BOOL:${TERN_WERROR}>:-Werror>)
target_compile_options(tern_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:${tern_options}>)
if(TERN_SANITIZE)
  # g++ takes what sanitizers put in for reads of what was never written.
  target_compile_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=undefined $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  target_link_options(tern_flags INTERFACE -fsanitize=${TERN_SANITIZE})
endif()
target_include_directories(tern_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# tern_library(<folder> SOURCES … DEPS …): the static library tern_<folder>; DEPS follow the ladder in docs/architecture.md.
function(tern_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(tern_${name} STATIC ${arg_SOURCES})
  target_link_libraries(tern_${name} PUBLIC tern_flags ${arg_DEPS})
  # Position-independent, but no other library replaces its functions: they may be inlined where they are defined.
  target_compile_options(tern_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-semantic-interposition>)
endfunction()

# The two macros that a scripted extension calls, with the paths that Slicer's own give to the files.
option(BUILD_TESTING "Register the tests" OFF)
if(BUILD_TESTING)
  enable_testing()
endif()

# Copies every file to the same place below the destination as it has below the module's folder, at
# build time, and installs the destination: a file that "../" leads out of it is not installed.
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY_SLICER "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_SLICER_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords given to slicerMacroBuildScriptedModule(): ${MY_SLICER_UNPARSED_ARGUMENTS}")
  endif()
  set(_destination "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
  set(_copied)
  foreach(_file IN LISTS MY_SLICER_SCRIPTS MY_SLICER_RESOURCES)
    if(IS_ABSOLUTE "${_file}")
      message(FATAL_ERROR "Slicer does not package files of absolute paths: ${_file}")
    endif()
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${_file}")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule given nonexistent file '${_file}'")
    endif()
    add_custom_command(
      OUTPUT "${_destination}/${_file}"
      COMMAND ${CMAKE_COMMAND} -E copy "${CMAKE_CURRENT_SOURCE_DIR}/${_file}" "${_destination}/${_file}"
      DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${_file}")
    list(APPEND _copied "${_destination}/${_file}")
  endforeach()
  add_custom_target(Copy${MY_SLICER_NAME}PythonFiles ALL DEPENDS ${_copied})
  install(DIRECTORY "${_destination}/" DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}")
  if(BUILD_TESTING AND MY_SLICER_WITH_GENERIC_TESTS)
    add_test(NAME py_nomainwindow_${MY_SLICER_NAME}ModuleGenericTest COMMAND ${CMAKE_COMMAND} -E true)
  endif()
endmacro()

# Registers the test; running it needs the application.
macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY_UNITTEST "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${MY_UNITTEST_SCRIPT}")
    message(FATAL_ERROR "slicer_add_python_unittest given nonexistent file '${MY_UNITTEST_SCRIPT}'")
  endif()
  get_filename_component(_test_name "${MY_UNITTEST_SCRIPT}" NAME_WE)
  add_test(NAME py_${MY_UNITTEST_TESTNAME_PREFIX}${_test_name} COMMAND ${CMAKE_COMMAND} -E true)
endmacro()

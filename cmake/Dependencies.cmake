# Every outside library, found once. A target links the imported targets named here.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

if(QUANTRY_BUILD_CONTROL_PLANE)
  find_package(gRPC REQUIRED)
  find_package(prometheus-cpp REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(SQLite3 REQUIRED)
  find_package(PostgreSQL REQUIRED)
endif()

if(QUANTRY_BUILD_ENGINE)
  find_package(CLI11 REQUIRED)
  find_package(Torch REQUIRED)
  find_package(hwy REQUIRED)
  find_package(dnnl REQUIRED)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  find_package(ONNX REQUIRED)
  find_package(ZLIB REQUIRED)
  find_package(CURL REQUIRED)
  find_package(pugixml REQUIRED)
  find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
endif()

if(QUANTRY_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()

if(QUANTRY_BUILD_ENGINE)
  # LibTorch's headers are not ours: system includes keep their warnings out.
  add_library(quantry_torch INTERFACE)
  target_include_directories(quantry_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(quantry_torch INTERFACE ${TORCH_LIBRARIES} absl::status absl::statusor
                        absl::strings)
endif()

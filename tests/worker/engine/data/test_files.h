#ifndef QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_FILES_H_
#define QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_FILES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// Small valid files of the formats that the readers know, as tests need them.

// `labels` in front of 3072 bytes of pixels, byte i of which is (i + seed) mod 256.
std::string CifarRecord(const std::vector<uint8_t>& labels, int seed);

// An IDX file of unsigned bytes; `values` are the content.
std::string IdxFile(const std::vector<uint32_t>& shape, const std::string& values);

std::string Gzip(const std::string& content);

// One member, without the end mark: header and padded content. Type '0': a regular file.
std::string TarMemberBytes(const std::string& name, const std::string& content, char type = '0');

// A tar file of such members, with its end mark.
std::string TarFile(const std::vector<std::pair<std::string, std::string>>& members);

// A pax record "LENGTH KEY=VALUE\n".
std::string PaxRecord(const std::string& key, const std::string& value);

// An .npy file: a header for `descr` ("<f4") and `shape` ("(2, 3)"), then `data`.
std::string NpyFile(const std::string& descr, const std::string& shape, const std::string& data,
                    bool fortran = false);

// A zip archive of such members, stored or deflated.
std::string ZipFile(const std::vector<std::pair<std::string, std::string>>& members,
                    bool deflated = false);

// A safetensors file of one tensor.
std::string SafetensorsFile(const std::string& name, const std::string& dtype,
                            const std::string& shape, const std::string& data);

// Values as the bytes that a file holds.
template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// The message of an error, or "" for OK.
template <typename T>
std::string MessageOf(const absl::StatusOr<T>& result) {
  return std::string(result.status().message());
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_FILES_H_

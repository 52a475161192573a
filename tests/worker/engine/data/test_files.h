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

// The message of an error, or "" for OK.
template <typename T>
std::string MessageOf(const absl::StatusOr<T>& result) {
  return std::string(result.status().message());
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_FILES_H_

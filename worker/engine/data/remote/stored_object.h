#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_STORED_OBJECT_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_STORED_OBJECT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace quantry::engine {

// What is known of a copy, whole or not: kept beside it as a small JSON file.
struct StoredObject {
  std::string uri;
  std::string etag;             // as the server wrote it; "": it gave none
  std::string last_modified;    // likewise
  std::optional<int64_t> size;  // of the whole object, in bytes; absent: the server didn't say
  std::string sha256;           // of the whole object; "": not measured yet

  // What a request says to mean exactly this version: the ETag unless it is a weak one, else the
  // date; "": there is nothing to tell versions apart by.
  std::string Validator() const;
};

// Absent: there is no such file, or it is damaged, which means that there is no copy.
std::optional<StoredObject> ReadStoredObject(const std::filesystem::path& file);
absl::Status WriteStoredObject(const StoredObject& object, const std::filesystem::path& file);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_STORED_OBJECT_H_

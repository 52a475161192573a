#ifndef QUANTRY_SERVER_DATA_FOLDER_H_
#define QUANTRY_SERVER_DATA_FOLDER_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantry::server {

// The server's data folder: quantry.db, blobs/, partial/, lock, server.addr. One server at a time
// has it, held by a lock on the file "lock" that ends with the process. Not thread-safe.
class DataFolder {
 public:
  // Makes the folder if it is missing and locks it. FAILED_PRECONDITION if another process has it.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::filesystem::path& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "quantry.db"; }

  // Writes server.addr: the lines "listen=HOST:PORT" and "metrics=HOST:PORT" (empty: no endpoint).
  // The file is there while the server serves.
  absl::Status PublishAddresses(const std::string& listen, const std::string& metrics);
  absl::Status RemoveAddresses();

 private:
  DataFolder(std::filesystem::path path, int lock_fd);

  const std::filesystem::path path_;
  const int lock_fd_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_DATA_FOLDER_H_

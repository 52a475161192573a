#ifndef QUANTRY_WORKER_AGENT_DATA_FOLDER_H_
#define QUANTRY_WORKER_AGENT_DATA_FOLDER_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/worker_service.pb.h"

namespace quantry::agent {

// A worker's own folder, locked as long as the object lives:
//   lock               held by the running worker
//   worker-id          its name, chosen at the first start
//   cache/SHA256       model files
//   datasets/          copies of remote datasets, which trainers look after
//   jobs/JOB/ATTEMPT/  one attempt's files; removed when it is over
// Thread-safe.
class DataFolder {
 public:
  // Makes what is missing, removes what an earlier run left in jobs/. FAILED_PRECONDITION: another
  // worker uses the folder.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::filesystem::path& path);

  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::string& worker_id() const { return worker_id_; }  // [a-z0-9-]{1,63}
  std::filesystem::path cache() const { return path_ / "cache"; }
  std::filesystem::path datasets() const { return path_ / "datasets"; }  // made by who uses it

  // Makes an empty folder for an attempt and returns its absolute path.
  absl::StatusOr<std::filesystem::path> MakeAttemptFolder(const v1::Lease& lease) const;

 private:
  DataFolder(std::filesystem::path path, int lock_fd, std::string worker_id)
      : path_(std::move(path)), lock_fd_(lock_fd), worker_id_(std::move(worker_id)) {}

  const std::filesystem::path path_;  // absolute
  const int lock_fd_;
  const std::string worker_id_;
};

// A new worker's name: what of `hostname` fits, and 8 random hex digits.
std::string NewWorkerId(absl::string_view hostname);

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_DATA_FOLDER_H_

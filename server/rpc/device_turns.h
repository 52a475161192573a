#ifndef QUANTRY_SERVER_RPC_DEVICE_TURNS_H_
#define QUANTRY_SERVER_RPC_DEVICE_TURNS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace quantry::server {

// Lets one call act for a device at a time, and only the newest: a worker whose connection broke
// asks again while the server still serves its older call, which must not touch what the newer one
// got. Thread-safe. Keeps a few bytes for every device that ever asked.
class DeviceTurns {
 private:
  struct Device {
    absl::Mutex mutex;
    int64_t newest = 0;  // number of the latest call; guarded by mutex
  };

 public:
  // The right to act, while it lives.
  class Turn {
   public:
    Turn(Device& device, int64_t call) : lock_(&device.mutex), is_newest_(device.newest == call) {}

    // Whether no newer call has begun; if one has, the holder must leave the device alone.
    bool IsNewest() const { return is_newest_; }

   private:
    absl::MutexLock lock_;
    const bool is_newest_;
  };

  // A call that acts for a device, now the newest. The DeviceTurns must outlive it.
  class Call {
   public:
    Call(DeviceTurns& turns, const std::string& worker_id, const std::string& device_id)
        : device_(turns.Find(worker_id, device_id)) {
      absl::MutexLock lock(&device_.mutex);
      number_ = ++device_.newest;
    }

    // Waits until no other call has its turn.
    Turn Take() { return Turn(device_, number_); }

   private:
    Device& device_;
    int64_t number_ = 0;
  };

 private:
  Device& Find(const std::string& worker_id, const std::string& device_id)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::unique_ptr<Device>& device = devices_[{worker_id, device_id}];
    if (device == nullptr) device = std::make_unique<Device>();
    return *device;
  }

  absl::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Device>> devices_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_DEVICE_TURNS_H_
